"""Finishing in the ledger's double: results, what is cut off, and what a dead instance or a lost claim left."""

from collections.abc import Callable
from datetime import datetime

from scheduling.domain.fire import Attempt, ExecutionState, Reason, Result, Verdict
from scheduling.domain.retry import TAKE_OVERS_MOST, delay_after_deaths
from scheduling.ports.ledger import TakenBack
from scheduling.ports.memory_tables import ExecutionRow, Tables

WRITTEN_BY_A_RESULT = (
    ExecutionState.WAITING,
    ExecutionState.SUCCEEDED,
    ExecutionState.FAILED,
    ExecutionState.KILLED,
)


def execution_of(tables: Tables, attempt: Attempt) -> ExecutionRow | None:
    """Return the execution that an attempt is one of; None if it is pruned."""
    fire = tables.fires.get(attempt.fire)
    return fire.executions[attempt.item] if fire else None


def holds(tables: Tables, attempt: Attempt) -> bool:
    """Does the attempt hold its item under its token?"""
    item = tables.items[attempt.job, attempt.item]
    return item.token == attempt.token and item.holder is not None and item.holder is execution_of(tables, attempt)


def write_result(tables: Tables, result: Result, now: datetime) -> Verdict:
    """Write a result if its attempt holds its item, which is free then."""
    execution = execution_of(tables, result.attempt)
    if execution is None:
        return Verdict.NO_LONGER_YOURS
    if holds(tables, result.attempt):
        tables.free(execution)
        _end(tables, execution, result, now)
        return Verdict.WRITTEN
    same = (execution.token, execution.reason) == (result.attempt.token, result.reason)
    written = same and execution.state in WRITTEN_BY_A_RESULT
    return Verdict.ALREADY_WRITTEN if written else Verdict.NO_LONGER_YOURS


def cut_off(tables: Tables, result: Result, now: datetime) -> int | None:
    """Write a result whose handler still runs, and return the item's new token; None if it does not count."""
    execution = execution_of(tables, result.attempt)
    if execution is None:
        return None
    item = tables.items[execution.key]
    if holds(tables, result.attempt):
        item.token += 1
        _end(tables, execution, result, now)
    is_cut_off = item.holder is execution and item.token == result.attempt.token + 1
    return item.token if is_cut_off and execution.state is not ExecutionState.RUNNING else None


def release(tables: Tables, attempt: Attempt, token: int) -> None:
    """Free the item of an attempt that was cut off."""
    item = tables.items[attempt.job, attempt.item]
    if item.token == token and item.holder is not None and item.holder is execution_of(tables, attempt):
        item.holder = None


def take_back(
    tables: Tables, chosen: Callable[[ExecutionRow], bool], now: datetime, *, died: bool
) -> tuple[TakenBack, ...]:
    """Free the items of the chosen holders; those that were running are pending again, or lost."""
    holders = [item.holder for item in tables.items.values() if item.holder and chosen(item.holder)]
    running = [holder for holder in holders if holder.state is ExecutionState.RUNNING]
    for holder in holders:
        tables.free(holder)
    return tuple(_put_back(tables, holder, now, died) for holder in running)


def _end(tables: Tables, execution: ExecutionRow, result: Result, now: datetime) -> None:
    execution.failures += result.state is not ExecutionState.SUCCEEDED
    row = tables.jobs[execution.fire.job.name]
    if result.retry_in is None or not row.job.enabled:
        tables.end(execution, result.state, result.reason, result.message)
        return
    execution.state, execution.reason, execution.message = ExecutionState.WAITING, result.reason, result.message
    execution.due_at = now + result.retry_in


def _put_back(tables: Tables, execution: ExecutionRow, now: datetime, died: bool) -> TakenBack:
    job, item = execution.key
    row = tables.instances.get(execution.instance or "")
    execution.deaths += died and not (row and row.left)
    taken = TakenBack(
        execution=execution.id,
        job=job,
        item=item,
        instance=execution.instance or "",
        lost=_is_lost(tables, execution, died),
    )
    if taken.lost:
        tables.end(execution, ExecutionState.LOST, Reason.INSTANCE_DIED)
    else:
        execution.state, execution.instance = ExecutionState.PENDING, None
        if died and execution.deaths > 1:
            began = min(execution.started_at or now, now)
            execution.due_at = began + delay_after_deaths(execution.deaths, 0.5)
    return taken


def _is_lost(tables: Tables, execution: ExecutionRow, died: bool) -> bool:
    configured = tables.jobs[execution.key[0]].job
    too_often = execution.deaths > TAKE_OVERS_MOST
    return not configured.enabled or (died and (not configured.failover or too_often))
