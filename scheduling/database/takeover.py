"""Taking over: what a dead instance, or a lost claim, left running is pending again, or lost."""

import logging
import random
from collections.abc import Iterable, Sequence, Set

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


def take_back(items: QuerySet[Item], *, died: bool) -> tuple[TakenBack, ...]:
    """Free those of the items that nobody has locked, within the caller's transaction.

    Their executions are pending again; lost if the job is disabled or retired, or its instance `died` and its failover
    is off or has been tried too often.
    """
    locked = lock(items)
    if not locked:
        return ()
    Item.objects.filter(id__in=[item.id for item in locked]).update(execution_id=None, instance_id=None)
    running = Execution.objects.filter(state=ExecutionState.RUNNING)
    rows = running.filter(id__in=[item.execution_id for item in locked])
    deaths = dict(rows.values_list("id", "deaths"))
    jobs = {job.id: job for job in Job.objects.filter(id__in={item.job_id for item in locked})}
    ran = [item for item in locked if item.execution_id in deaths]
    unasked = _unasked([item.instance_id for item in ran]) if died else frozenset()
    running.filter(id__in=[i.execution_id for i in ran if i.instance_id in unasked]).update(deaths=F("deaths") + 1)
    ended = {i.id: deaths[i.execution_id or 0] + (i.instance_id in unasked) for i in ran}
    taken = tuple(_taken_back(i, jobs[i.job_id], died, ended[i.id] > TAKE_OVERS_MOST) for i in ran)
    again, lost = ([t.execution for t in taken if t.lost is is_lost] for is_lost in (False, True))
    _part([id for id in again if deaths[id]], running)
    running.filter(id__in=again).update(state=ExecutionState.PENDING, instance_id=None)
    running.filter(id__in=lost).update(
        state=ExecutionState.LOST, live=None, finished_at=DatabaseNow(), reason=Reason.INSTANCE_DIED
    )
    for item in set(locked) - set(ran):
        # As a handler that has outlived its attempt's timeout leaves it.
        logger.warning("item %s was held by execution %s, which does not run: freed", item.id, item.execution_id)
    return taken


def lock(items: QuerySet[Item]) -> Sequence[Item]:
    """Lock the items in order, without those that a frozen client has locked: they come with the next try."""
    holders = dict(items.values_list("id", "instance_id"))
    skip = connection.features.has_select_for_update_skip_locked
    locked = Item.objects.select_for_update(skip_locked=skip).filter(id__in=sorted(holders)).order_by("id")
    return [item for item in locked if item.instance_id == holders[item.id]] if holders else []


def _part(ids: Sequence[int], running: QuerySet[Execution]) -> None:
    """Let those that several instances have died with begin again at different times."""
    for id, deaths, started_at in running.filter(id__in=ids).values_list("id", "deaths", "started_at"):
        due_at = (started_at or database_now()) + delay_after_deaths(deaths, random.random())
        running.filter(id=id).update(due_at=due_at)


def _unasked(instances: Iterable[str | None]) -> frozenset[str | None]:
    """Return those of these dead instances that have not ended in order, as one that drains and leaves some behind."""
    ended = Instance.objects.filter(id__in=set(instances), died_by=F("id"))
    return frozenset(instances) - set(ended.values_list("id", flat=True))


def _taken_back(item: Item, job: Job, died: bool, too_often: bool) -> TakenBack:
    wanted = job.enabled and job.retired_at is None
    return TakenBack(
        execution=item.execution_id or 0,
        job=job.name,
        item=item.number,
        instance=item.instance_id or "",
        lost=not wanted or (died and (too_often or not job.failover)),
    )
