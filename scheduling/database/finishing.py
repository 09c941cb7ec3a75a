"""Finishing: results are written under their tokens and free the items; after the commit, fires are settled."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Exists, F, OuterRef, QuerySet

from scheduling.database.clock import DatabaseNow, database_now
from scheduling.database.rows import Rows
from scheduling.domain.errors import BrokenLedger
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.fire import ExecutionState, Reason, Result, Verdict, settled_state
from scheduling.models import Cursor, Execution, Fire, Item
from scheduling.models.ledger import IS_UNSETTLED

SETTLED_AT_ONCE = 1_000
WRITTEN_BY_A_RESULT = (
    ExecutionState.WAITING,
    ExecutionState.SUCCEEDED,
    ExecutionState.FAILED,
    ExecutionState.KILLED,
)


class End(NamedTuple):
    """What executions that end alike have in common; `retry_in` if another attempt follows."""

    state: ExecutionState
    reason: Reason | None
    message: str
    retry_in: timedelta | None


def write_results(results: Sequence[Result], rows: Rows, not_after: datetime | None) -> dict[int, Verdict]:
    """Write the results whose tokens still hold their items, within the caller's transaction; return all verdicts."""
    holding = still_holding(results, rows)
    items = rows.items((result.attempt.job, result.attempt.item) for result in holding)
    Item.objects.filter(id__in=sorted(items.values())).update(execution_id=None, instance_id=None)
    end_attempts(holding, rows, not_after)
    written = {result.attempt.execution: Verdict.WRITTEN for result in holding}
    return written | _verdicts([result for result in results if result.attempt.execution not in written])


def end_attempts(holding: Sequence[Result], rows: Rows, not_after: datetime | None) -> None:
    """End the executions of these results, or let them wait for their next attempts; their items are locked."""
    for end, executions in _by_end(holding, _wanted(holding, rows)).items():
        _end_executions(executions, end, not_after)


def still_holding(results: Sequence[Result], rows: Rows) -> list[Result]:
    """Lock the items, in order, and return the results whose attempts hold them."""
    items = rows.items((result.attempt.job, result.attempt.item) for result in results)
    locked = Item.objects.select_for_update().filter(id__in=sorted(set(items.values()))).order_by("id")
    held = {id: (token, execution) for id, token, execution in locked.values_list("id", "token", "execution_id")}
    holds = {result.attempt.execution: held.get(items[result.attempt.job, result.attempt.item]) for result in results}
    holding = [r for r in results if holds[r.attempt.execution] == (r.attempt.token, r.attempt.execution)]
    return list({result.attempt.execution: result for result in holding}.values())


def _wanted(results: Sequence[Result], rows: Rows) -> frozenset[str]:
    """Return which of the jobs to be attempted again are enabled; read under the lock that a disabling waits for."""
    jobs = rows.jobs({result.attempt.job for result in results if result.retry_in is not None})
    enabled = Cursor.objects.filter(job__in=jobs.values(), enabled=True) if jobs else Cursor.objects.none()
    ids = set(enabled.values_list("job_id", flat=True))
    return frozenset(name for name, id in jobs.items() if id in ids)


def _by_end(results: Iterable[Result], wanted: frozenset[str]) -> Mapping[End, list[int]]:
    ends: dict[End, list[int]] = defaultdict(list)
    for result in results:
        retry_in = result.retry_in if result.attempt.job in wanted else None
        ends[End(result.state, result.reason, result.message, retry_in)].append(result.attempt.execution)
    return ends


def _end_executions(ids: list[int], end: End, not_after: datetime | None) -> None:
    running = Execution.objects.filter(id__in=sorted(ids), state=ExecutionState.RUNNING)
    ended = running.update(reason=end.reason or "", message=end.message, **_as_fields(end, not_after))
    if ended != len(ids):
        raise BrokenLedger(
            _("of executions %(ids)s, held by their items, only %(ended)s were running"), ids=sorted(ids), ended=ended
        )


def _as_fields(end: End, not_after: datetime | None) -> dict[str, object]:
    if end.retry_in is not None:
        now = database_now()
        due_at = min(now, not_after or now) + end.retry_in
        return {"state": ExecutionState.WAITING, "due_at": due_at, "failures": F("failures") + 1}
    failed = {} if end.state is ExecutionState.SUCCEEDED else {"failures": F("failures") + 1}
    return {"state": end.state, "live": None, "finished_at": DatabaseNow(), **failed}


def _verdicts(results: Sequence[Result]) -> dict[int, Verdict]:
    ids = [result.attempt.execution for result in results]
    by_result = Execution.objects.filter(id__in=ids, state__in=WRITTEN_BY_A_RESULT)
    rows = by_result.values_list("id", "token", "reason") if ids else ()
    ends = {id: (token, reason) for id, token, reason in rows}
    # By the reason, too: what was written when an attempt was cut off is not what its handler brings afterwards.
    written = {
        r.attempt.execution for r in results if ends.get(r.attempt.execution) == (r.attempt.token, r.reason or "")
    }
    return {id: Verdict.ALREADY_WRITTEN if id in written else Verdict.NO_LONGER_YOURS for id in ids}


def settle_fires(ids: Iterable[int] | None) -> int:
    """Settle the unsettled fires none of whose executions is live, within the caller's transaction.

    Not in the transaction that ended an execution: of two that end the last two, each would still see the other's.
    """
    locked = lock_unsettled(_ended_fires(ids))
    ends: dict[int, list[tuple[ExecutionState, Reason | None]]] = {fire: [] for fire in locked}
    executions = Execution.objects.filter(fire__in=ends).values_list("fire_id", "state", "reason")
    for fire, state, reason in executions if ends else ():
        ends[fire].append(_end(state, reason))
    settled = defaultdict(list)
    for fire, ended in ends.items():
        settled[settled_state(ended)].append(fire)
    for end, fires in settled.items():
        _settle(fires, *end)
    return len(ends)


def lock_unsettled(fires: list[int]) -> list[int]:
    """Lock the fires, in order, and return those that are still unsettled."""
    # By their ids alone: by the index over the unsettled ones, fires of others would be locked, too.
    locked = Fire.objects.select_for_update().filter(id__in=fires).order_by("id") if fires else Fire.objects.none()
    return [id for id, unsettled in locked.values_list("id", "unsettled") if unsettled]


def _end(state: str, reason: str) -> tuple[ExecutionState, Reason | None]:
    # What somebody wrote by hand must not keep all fires unsettled: an end that is none did not succeed.
    known = ExecutionState(state) if state in tuple(ExecutionState) else ExecutionState.FAILED
    return known, Reason(reason) if reason in tuple(Reason) else None


def _ended_fires(ids: Iterable[int] | None) -> list[int]:
    fires: QuerySet[Fire] = Fire.objects.filter(IS_UNSETTLED)
    if ids is not None:
        fires = fires.filter(id__in=sorted(ids))
    # Not IS_LIVE: for each fire the index over its own executions is read, and not the one over all that are live.
    ended = fires.exclude(Exists(Execution.objects.filter(live=True, fire=OuterRef("id"))))
    return list(ended.order_by("id").values_list("id", flat=True)[:SETTLED_AT_ONCE])


def _settle(fires: list[int], state: str, reason: Reason | None) -> None:
    Fire.objects.filter(id__in=fires).update(state=state, reason=reason or "", unsettled=None, settled_at=DatabaseNow())
