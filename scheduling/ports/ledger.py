"""The ledger: the one place where a start is decided. Every method is one short transaction, or reads.

All methods raise `LedgerUnavailable` when the answer did not come: what was asked may have happened or not.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from scheduling.domain.cluster import Cluster
from scheduling.domain.fire import Attempt, LiveExecution, Look, Result, Verdict
from scheduling.domain.instance import Instance
from scheduling.domain.job import Job
from scheduling.domain.misfire import Opening

DEFAULT = "default"
"""The ledger's own database, by the name that Django gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far one job is accounted for. A cursor moves only together with the fires it passes."""

    revision: int
    enabled: bool
    counted_to: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursors:
    """The cursors of all jobs that are not retired, at `now` of the ledger's clock."""

    now: datetime
    jobs: Mapping[str, Cursor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """An execution that a dead instance, or a lost claim, had left running."""

    execution: int
    job: str
    item: int
    instance: str
    lost: bool


class Configuration(Protocol):
    """The side of the ledger where jobs are configured; people use it, instances don't."""

    def configure(self, job: Job) -> int:
        """Save the job as it is now, move its cursor to now and return its new revision.

        Nothing fires retroactively: one row stands for what was due and unopened under the old trigger. Disabling
        cancels what is pending or waiting; what runs ends. A retired job is taken up again.
        """

    def retire(self, job: str) -> None:
        """Take the job away for good, as far as anyone sees; its items and their tokens stay."""

    def request(self, job: str, *, key: int, asked_by: str) -> int:
        """Open a manual fire now and return its id; the same `key` again is the same fire.

        Raise `UnknownJob`, `JobDisabled`, or `BrokenLedger` if the ledger lacks rows for some of its items.
        """


class Ledger(Configuration, Protocol):
    """What the scheduling thread of an instance asks and does."""

    def jobs(self) -> tuple[Job, ...]:
        """Return every job that is not retired, as it is configured now."""

    def cursors(self) -> Cursors:
        """Return how far every job is accounted for."""

    def live_items(self) -> dict[str, frozenset[int]]:
        """Return job → its items at or above its sharding total count that still have a live execution."""

    def enter(self, instance: Instance) -> None:
        """Write the row of a new instance, before it registers."""

    def join(self, instance: str) -> None:
        """Note that the instance has been registered, so that its death may be declared."""

    def joined(self) -> frozenset[str]:
        """Return the ids of the instances that have joined and are not known to be dead."""

    def die(self, instance: str, *, by: str) -> bool:
        """Declare a joined instance dead, for good; False if it is already, or had never joined.

        An instance that declares itself has left.
        """

    def show(self, cluster: Cluster, *, by: str) -> None:
        """Keep what the leader `by` sees in the registry, and when, for those that cannot ask it."""

    def open(self, openings: Sequence[Opening], *, by: str) -> frozenset[str]:
        """Move each cursor and insert its fires and their pending executions, all or nothing; return the jobs won.

        A job is not won if its cursor has passed any of the fire times, its revision or enabledness is another, or a
        fire time is after the ledger's clock. The misfire policy is applied to unclaimed executions of the job's
        earlier fires.
        """

    def look(self, jobs: Iterable[str]) -> Look:
        """Return the live executions of these jobs, and their items that are held."""

    def claim(self, executions: Sequence[LiveExecution], *, by: str, claim: str) -> tuple[Attempt, ...]:
        """Claim all of these executions or none: each item has to be free, and gets a larger token.

        `claim` is an id of this call alone. Raise `InstanceDead` if `by` has been declared dead.
        """

    def claimed(self, claim: str) -> tuple[Attempt, ...]:
        """Return what an earlier call of `claim` won and still holds; for when its answer did not come."""

    def finish(self, results: Sequence[Result], *, not_after: datetime | None = None) -> dict[int, Verdict]:
        """Write these results, free their items and return execution → verdict; may be repeated.

        A result counts only with the token that still holds its item. One with a `retry_in` makes its execution wait
        for so long, counted from the ledger's clock, but from `not_after` at the latest: a clock that has jumped ahead
        would block the item. It fails instead if the job is disabled or retired by now.
        """

    def cut_off(self, results: Sequence[Result], *, not_after: datetime | None = None) -> dict[int, int]:
        """Write the results of attempts whose handlers still run, and return execution → new token; may be repeated.

        Each item gets a larger token, so that its handler writes nothing any more, and stays held: nothing else runs
        on it until `release`, an audit or a take-over frees it. Results that do not count any more are left out.
        """

    def release(self, tokens: Mapping[Attempt, int]) -> None:
        """Free the items of attempts that were cut off, each under the token it got then; may be repeated."""

    def progress(self, done: Mapping[Attempt, tuple[int, int]]) -> None:
        """Note attempt → (done, total) for those that still run under their token."""

    def settle(self, fires: Iterable[int] | None = None) -> int:
        """Settle those of the fires (None: of all) whose executions have all ended; return how many."""

    def take_over(self, *, not_after: datetime | None = None) -> tuple[TakenBack, ...]:
        """Free every item that a dead instance holds, or one without a row.

        Its execution is pending again, or lost if the job's failover is off, the job is disabled or retired, or it was
        taken over `TAKE_OVERS_MOST` times before, each time from an instance that did not end in order. What several
        instances have died with waits for a moment, counted from its start, but from `not_after` at the latest.
        """

    def audit(self, instance: str, running: AbstractSet[int]) -> tuple[TakenBack, ...]:
        """Put back what `instance` holds but does not run, as a claim whose answer was lost leaves it.

        It is pending again, or lost if the job is disabled or retired.
        """

    def prune(self, *, not_after: datetime | None = None) -> bool:
        """Forget some of the fires that are too old or too many, and instances long gone; return whether to go on.

        A bounded number of settled fires, of each job the oldest first, with their executions and markers; none that
        settled within the last hour, or for which an item is still held. May be repeated, and by several at once. What
        is old is told by the ledger's clock, or by `not_after`, if that is earlier.
        """


class Fence(Protocol):
    """What the workers use: transactions that count only while the attempt holds its item.

    `using` names the database that a transaction is on; `DEFAULT` is the ledger's own.
    """

    def check(self, attempt: Attempt) -> None:
        """Raise `NoLongerYours` unless the attempt holds its item now."""

    def atomic(self, attempt: Attempt, *, using: str = DEFAULT) -> AbstractContextManager[None]:
        """Open an outermost transaction whose last statement checks the token; raise `NoLongerYours` and roll back.

        On another database than the ledger's it checks that no later attempt has ended such a transaction there.
        """

    def once(self, attempt: Attempt, name: str, function: Callable[[], Any], *, using: str = DEFAULT) -> Any:
        """Run `function` in such a transaction together with a marker (execution, name) and return its result.

        What it writes happens exactly once per execution. Return None if an earlier attempt has done it.
        """
