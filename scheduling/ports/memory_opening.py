"""Opening in the ledger's double: the rows of one opening, and the misfire policy on what was opened before."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from scheduling.domain.errors import BrokenLedger
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.fire import ExecutionState, FireState, Reason
from scheduling.domain.job import Job, Misfire
from scheduling.domain.misfire import Missed, Opening, oldest_to_catch_up
from scheduling.ports.memory_tables import ExecutionRow, Tables

REASONS = {
    Misfire.SKIP: Reason.STILL_RAN,
    Misfire.FIRE_ONCE: Reason.COALESCED,
    Misfire.FIRE_ALL: Reason.TOO_OLD,
}


def check_new(tables: Tables, openings: Sequence[Opening]) -> None:
    """Raise `BrokenLedger` if a fire to insert is in the ledger already, or comes twice."""
    keys = Counter((opening.job.name, time, 0) for opening in openings for time in _fire_times(opening))
    twice = [key for key, count in keys.items() if count > 1 or key in tables.fire_keys]
    if twice:
        raise BrokenLedger(_("a fire to open is in the ledger already: %(error)s"), error=twice)


def _fire_times(opening: Opening) -> list[datetime]:
    return [*opening.fires, *([opening.missed.last] if opening.missed else [])]


def insert_opening(tables: Tables, opening: Opening, now: datetime) -> None:
    """Insert what the opening says, and cancel what the misfire policy says."""
    fires = [tables.insert_fire(opening.job, fire_time) for fire_time in opening.fires]
    into = fires[-1].id if fires else None
    account_for(tables, opening.job, opening.missed, now, into)
    for fire in fires:
        tables.insert_executions(fire)
    for execution in _late(tables, opening, now):
        tables.end(execution, ExecutionState.CANCELLED, REASONS[opening.job.misfire])
        if opening.job.misfire is Misfire.FIRE_ONCE:
            execution.fire.coalesced_into = into


def account_for(tables: Tables, job: Job, missed: Missed | None, now: datetime, into: int | None = None) -> None:
    """Insert the one row for fire times that did not run, if there are any."""
    if missed:
        fire = tables.insert_fire(job, missed.last)
        fire.state, fire.reason = missed.state, missed.reason
        fire.missed_count, fire.first_missed, fire.settled_at = missed.count, missed.first, now
        fire.coalesced_into = into if missed.state is FireState.COALESCED else None


def _late(tables: Tables, opening: Opening, now: datetime) -> list[ExecutionRow]:
    """Return the unclaimed executions that do not run, by the policy of the job."""
    unclaimed = sorted(_unclaimed(tables, opening.job.name), key=lambda e: e.fire.fire_time, reverse=True)
    earlier = [e for e in unclaimed if e.fire.fire_time not in opening.fires]
    match opening.job.misfire:
        case Misfire.FIRE_ALL:
            return list(_too_many_or_too_old(earlier, opening, now))
        case Misfire.SKIP:
            return [e for e in unclaimed if e in earlier or tables.items[e.key].holder]
        case _:
            return earlier


def _unclaimed(tables: Tables, job: str) -> Iterable[ExecutionRow]:
    for execution in tables.live_of(job):
        if execution.state is ExecutionState.PENDING and not execution.attempt and not execution.fire.run:
            yield execution


def _too_many_or_too_old(
    latest_first: Iterable[ExecutionRow], opening: Opening, now: datetime
) -> Iterable[ExecutionRow]:
    kept: Counter[int] = Counter()
    most, oldest = opening.job.fire_all_most - len(opening.fires), oldest_to_catch_up(opening.job, now)
    for execution in latest_first:
        if kept[execution.item] < most and execution.fire.fire_time >= oldest:
            kept[execution.item] += 1
        else:
            yield execution
