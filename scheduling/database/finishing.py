"""Finishing: results are written under their tokens and free the items; after the commit, fires are settled."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Exists, OuterRef, QuerySet

from scheduling.database.clock import DatabaseNow
from scheduling.database.rows import Rows
from scheduling.domain.errors import BrokenLedger
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.fire import ExecutionState, Reason, Result, Verdict, settled_state
from scheduling.models import Execution, Fire, Item

SETTLED_AT_ONCE = 1_000
ENDED_BY_A_RESULT = (ExecutionState.SUCCEEDED, ExecutionState.FAILED)

End = tuple[ExecutionState, Reason | None, str]


def write_results(results: Sequence[Result], rows: Rows) -> dict[int, Verdict]:
    """Write the results whose tokens still hold their items, within the caller's transaction; return all verdicts."""
    holding = still_holding(results, rows)
    items = rows.items((result.attempt.job, result.attempt.item) for result in holding)
    Item.objects.filter(id__in=sorted(items.values())).update(execution_id=None, instance_id=None)
    for (state, reason, message), executions in _by_end(holding).items():
        _end_executions(executions, state, reason, message)
    written = {result.attempt.execution: Verdict.WRITTEN for result in holding}
    return written | _verdicts([result for result in results if result.attempt.execution not in written])


def still_holding(results: Sequence[Result], rows: Rows) -> list[Result]:
    """Lock the items, in order, and return the results whose attempts hold them."""
    items = rows.items((result.attempt.job, result.attempt.item) for result in results)
    locked = Item.objects.select_for_update().filter(id__in=sorted(set(items.values()))).order_by("id")
    held = {id: (token, execution) for id, token, execution in locked.values_list("id", "token", "execution_id")}
    holds = {result.attempt.execution: held.get(items[result.attempt.job, result.attempt.item]) for result in results}
    holding = [r for r in results if holds[r.attempt.execution] == (r.attempt.token, r.attempt.execution)]
    return list({result.attempt.execution: result for result in holding}.values())


def _by_end(results: Iterable[Result]) -> Mapping[End, list[int]]:
    ends: dict[End, list[int]] = defaultdict(list)
    for result in results:
        ends[result.state, result.reason, result.message].append(result.attempt.execution)
    return ends


def _end_executions(ids: list[int], state: ExecutionState, reason: Reason | None, message: str) -> None:
    running = Execution.objects.filter(id__in=sorted(ids), state=ExecutionState.RUNNING)
    ended = running.update(state=state, live=None, finished_at=DatabaseNow(), reason=reason or "", message=message)
    if ended != len(ids):
        raise BrokenLedger(
            _("of executions %(ids)s, held by their items, only %(ended)s were running"), ids=sorted(ids), ended=ended
        )


def _verdicts(results: Sequence[Result]) -> dict[int, Verdict]:
    ids = [result.attempt.execution for result in results]
    by_result = Execution.objects.filter(id__in=ids, state__in=ENDED_BY_A_RESULT)
    ended = dict(by_result.values_list("id", "token")) if ids else {}
    return {
        r.attempt.execution: (
            Verdict.ALREADY_WRITTEN if ended.get(r.attempt.execution) == r.attempt.token else Verdict.NO_LONGER_YOURS
        )
        for r in results
    }


def settle_fires(ids: Iterable[int] | None) -> int:
    """Settle the unsettled fires none of whose executions is live, within the caller's transaction.

    Not in the transaction that ended an execution: of two that end the last two, each would still see the other's.
    """
    ends: dict[int, list[tuple[ExecutionState, Reason | None]]] = {fire: [] for fire in _ended_fires(ids)}
    executions = Execution.objects.filter(fire__in=ends).values_list("fire_id", "state", "reason")
    for fire, state, reason in executions if ends else ():
        ends[fire].append(_end(state, reason))
    settled = defaultdict(list)
    for fire, ended in ends.items():
        settled[settled_state(ended)].append(fire)
    return sum(_settle(fires, state, reason) for (state, reason), fires in settled.items())


def _end(state: str, reason: str) -> tuple[ExecutionState, Reason | None]:
    # What somebody wrote by hand must not keep all fires unsettled: an end that is none did not succeed.
    known = ExecutionState(state) if state in tuple(ExecutionState) else ExecutionState.FAILED
    return known, Reason(reason) if reason in tuple(Reason) else None


def _ended_fires(ids: Iterable[int] | None) -> list[int]:
    fires: QuerySet[Fire] = Fire.objects.filter(unsettled=True)
    if ids is not None:
        fires = fires.filter(id__in=sorted(ids))
    ended = fires.exclude(Exists(Execution.objects.filter(fire=OuterRef("id"), live=True)))
    return list(ended.order_by("id").values_list("id", flat=True)[:SETTLED_AT_ONCE])


def _settle(fires: list[int], state: str, reason: Reason | None) -> int:
    unsettled = Fire.objects.filter(id__in=fires, unsettled=True)
    return unsettled.update(state=state, reason=reason or "", unsettled=None, settled_at=DatabaseNow())
