"""What a fire and its executions are: their states, the order items are claimed in, the state a fire settles to."""

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class ExecutionState(StrEnum):
    """States of one sharding item of one fire; the last five are final."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"
    KILLED = "killed"
    CANCELLED = "cancelled"


class FireState(StrEnum):
    """States of one job at one fire time; all but open are final."""

    OPEN = "open"
    SUCCEEDED = "succeeded"
    PARTLY_FAILED = "partly_failed"
    FAILED = "failed"
    SKIPPED = "skipped"
    COALESCED = "coalesced"


class Reason(StrEnum):
    """Why a fire or an execution did not run, or failed."""

    NOBODY_WAS_UP = "nobody_was_up"
    STILL_RAN = "still_ran"
    EDITED = "edited"
    DISABLED = "disabled"
    RETIRED = "retired"
    TOO_OLD = "too_old"
    COALESCED = "coalesced"
    RAISED = "raised"
    BAD_RESULT = "bad_result"
    INSTANCE_DIED = "instance_died"
    TIMED_OUT = "timed_out"
    PROCESS_DIED = "process_died"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveExecution:
    """An execution that has not ended, as the ledger shows it before a claim.

    `failed_on` is the instance on which the attempt failed that another one waits to follow.
    """

    execution: int
    job: str
    item: int
    fire_time: datetime
    run: int
    due_at: datetime
    state: ExecutionState
    failed_on: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the ledger shows of some jobs at `now` of its clock: live executions, and the items held by one."""

    now: datetime
    executions: tuple[LiveExecution, ...]
    held: frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One claimed run of an execution: what its worker needs, and the token that lets it write.

    It is the `number`th, and `failures` of those before have failed; others were taken over.
    """

    execution: int
    fire: int
    job: str
    item: int
    token: int
    number: int
    fire_time: datetime
    run: int
    total: int
    failures: int = 0
    parameters: Mapping[int, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an attempt ended, and how many seconds it took; if another is to follow, after `retry_in`."""

    attempt: Attempt
    state: ExecutionState
    reason: Reason | None = None
    message: str = ""
    took: float = 0.0
    retry_in: timedelta | None = None


class Verdict(StrEnum):
    """What the ledger answered to a result."""

    WRITTEN = "written"
    ALREADY_WRITTEN = "already written"
    NO_LONGER_YOURS = "no longer yours"


def claimable(look: Look, is_mine: Callable[[LiveExecution], bool], busy: Set[tuple[str, int]]) -> list[LiveExecution]:
    """Return the executions to claim, the longest due first: of each free item only the oldest, if it is mine and due.

    An item is first in, first out, so a later fire of it waits even if it is due. `busy` items are still being run
    by this process, whatever the ledger says.
    """
    oldest: dict[tuple[str, int], LiveExecution] = {}
    for execution in look.executions:
        key = (execution.job, execution.item)
        if key not in look.held and key not in busy:
            oldest[key] = min(execution, oldest.get(key, execution), key=_age)
    due = (e for e in oldest.values() if e.state != ExecutionState.RUNNING and e.due_at <= look.now)
    return sorted(filter(is_mine, due), key=lambda e: (e.due_at, e.job, e.item))


def _age(execution: LiveExecution) -> tuple[datetime, int]:
    return (execution.fire_time, execution.run)


def settled_state(ends: Iterable[tuple[ExecutionState, Reason | None]]) -> tuple[FireState, Reason | None]:
    """Return the state, and the reason, of a fire whose executions all ended with `ends`.

    Killed and lost count as failed, cancelled does not count.
    """
    all_ends = tuple(ends)
    counted = {state for state, _ in all_ends if state != ExecutionState.CANCELLED}
    if not counted:
        return _not_run({reason for _, reason in all_ends})
    if counted == {ExecutionState.SUCCEEDED}:
        return FireState.SUCCEEDED, None
    if ExecutionState.SUCCEEDED in counted:
        return FireState.PARTLY_FAILED, None
    return FireState.FAILED, None


def _not_run(reasons: Collection[Reason | None]) -> tuple[FireState, Reason | None]:
    if Reason.COALESCED in reasons:
        return FireState.COALESCED, Reason.STILL_RAN
    known = sorted(reason for reason in reasons if reason)
    return FireState.SKIPPED, known[0] if known else None
