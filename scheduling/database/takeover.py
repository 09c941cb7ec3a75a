"""Taking over: what a dead instance, or a lost claim, left running is pending again, or lost."""

import logging
import random
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime

from django.db import connection
from django.db.models import Exists, F, OuterRef, QuerySet

from scheduling.database.clock import DatabaseNow, database_now
from scheduling.domain.fire import ExecutionState, Reason
from scheduling.domain.retry import TAKE_OVERS_MOST, delay_after_deaths
from scheduling.models import Execution, Instance, Item, Job
from scheduling.ports.ledger import TakenBack

logger = logging.getLogger("scheduling.database")


def orphans() -> QuerySet[Item]:
    """Items held by an instance that is dead, or has no row."""
    alive = Instance.objects.filter(id=OuterRef("instance_id"), died_at__isnull=True)
    return Item.objects.filter(instance_id__isnull=False).exclude(Exists(alive))


def not_running(instance: str, running: Set[int]) -> QuerySet[Item]:
    """Items held by `instance` for executions that it does not run."""
    return Item.objects.filter(instance_id=instance).exclude(execution_id__in=running)


def take_back(items: QuerySet[Item], *, died: bool, not_after: datetime | None = None) -> tuple[TakenBack, ...]:
    """Free those of the items that nobody has locked, within the caller's transaction.

    Their executions are pending again; lost if the job is disabled or retired, or its instance `died` and its failover
    is off or has been tried too often. No clock has passed `not_after`, unless it has jumped.
    """
    locked = lock(items)
    if not locked:
        return ()
    Item.objects.filter(id__in=[item.id for item in locked]).update(execution_id=None, instance_id=None)
    holders = _running_on(locked)
    if died:
        _count_deaths(holders)
    deaths = dict(_running(holders).values_list("id", "deaths"))
    jobs = Job.objects.in_bulk({item.job_id for item in holders.values()})
    taken = [_taken_back(id, item, jobs.get(item.job_id), died, deaths[id]) for id, item in holders.items()]
    again, lost = ([each.execution for each in taken if each.lost is is_lost] for is_lost in (False, True))
    if died:
        _part(again, not_after)
    _running(again).update(state=ExecutionState.PENDING, instance_id=None)
    _running(lost).update(state=ExecutionState.LOST, live=None, finished_at=DatabaseNow(), reason=Reason.INSTANCE_DIED)
    return tuple(taken)


def lock(items: QuerySet[Item]) -> Sequence[Item]:
    """Lock the items in order, without those that a frozen client has locked: they come with the next try."""
    holders = dict(items.values_list("id", "instance_id"))
    skip = connection.features.has_select_for_update_skip_locked
    locked = Item.objects.select_for_update(skip_locked=skip).filter(id__in=sorted(holders)).order_by("id")
    return [item for item in locked if item.instance_id == holders[item.id]] if holders else []


def _running(ids: Iterable[int]) -> QuerySet[Execution]:
    return Execution.objects.filter(id__in=sorted(ids), state=ExecutionState.RUNNING)


def _running_on(items: Iterable[Item]) -> dict[int, Item]:
    """Return execution → the item that it held, of those that run."""
    holders = {item.execution_id: item for item in items if item.execution_id is not None}
    running = set(_running(holders).values_list("id", flat=True))
    for id, item in holders.items():
        if id not in running:
            # As a handler that has outlived its attempt's timeout leaves it.
            logger.warning("item %s was held by execution %s, which does not run: freed", item.id, id)
    return {id: item for id, item in holders.items() if id in running}


def _count_deaths(holders: Mapping[int, Item]) -> None:
    """Count a death with each, unless its instance has ended in order, as one that drains and leaves some behind."""
    instances = {item.instance_id for item in holders.values()}
    in_order = set(Instance.objects.filter(id__in=instances, died_by=F("id")).values_list("id", flat=True))
    unasked = [id for id, item in holders.items() if item.instance_id not in in_order]
    _running(unasked).update(deaths=F("deaths") + 1)


def _taken_back(id: int, item: Item, job: Job | None, died: bool, deaths: int) -> TakenBack:
    """`job` is None if somebody has deleted its row."""
    wanted = job is not None and job.enabled and job.retired_at is None
    too_often = deaths > TAKE_OVERS_MOST
    return TakenBack(
        execution=id,
        job=job.name if job else f"deleted job {item.job_id}",
        item=item.number,
        instance=item.instance_id or "",
        lost=job is None or not wanted or (died and (too_often or not job.failover)),
    )


def _part(ids: Sequence[int], not_after: datetime | None) -> None:
    """Let those that several instances have died with begin again at different times."""
    for id, deaths, started_at in _running(ids).filter(deaths__gt=1).values_list("id", "deaths", "started_at"):
        # Not counted from a clock that has jumped ahead, which would block the item.
        now = database_now()
        began = min(started_at or now, now, not_after or now)
        _running([id]).update(due_at=began + delay_after_deaths(deaths, random.random()))
