"""Taking over: what a dead instance, or a lost claim, left running is pending again, or lost."""

from collections.abc import Sequence, Set

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from scheduling.database.clock import DatabaseNow
from scheduling.domain.errors import BrokenLedger
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.fire import ExecutionState, Reason
from scheduling.models import Execution, Instance, Item, Job
from scheduling.ports.ledger import TakenBack


def orphans() -> QuerySet[Item]:
    """Items held by an instance that is dead, or has no row."""
    alive = Instance.objects.filter(id=OuterRef("instance_id"), died_at__isnull=True)
    return Item.objects.filter(instance_id__isnull=False).exclude(Exists(alive))


def not_running(instance: str, running: Set[int]) -> QuerySet[Item]:
    """Items held by `instance` for executions that it does not run."""
    return Item.objects.filter(instance_id=instance).exclude(execution_id__in=running)


def take_back(items: QuerySet[Item]) -> tuple[TakenBack, ...]:
    """Free those of the items that nobody has locked, within the caller's transaction."""
    locked = lock(items)
    if not locked:
        return ()
    jobs = {job.id: job for job in Job.objects.filter(id__in={item.job_id for item in locked})}
    taken = tuple(_taken_back(item, jobs[item.job_id]) for item in locked)
    running = Execution.objects.filter(state=ExecutionState.RUNNING)
    count = running.filter(id__in=[t.execution for t in taken if not t.lost]).update(
        state=ExecutionState.PENDING, instance_id=None
    )
    count += running.filter(id__in=[t.execution for t in taken if t.lost]).update(
        state=ExecutionState.LOST, live=None, finished_at=DatabaseNow(), reason=Reason.INSTANCE_DIED
    )
    if count != len(taken):
        raise BrokenLedger(
            _("of executions %(ids)s, held by their items, only %(ended)s were running"),
            ids=[t.execution for t in taken],
            ended=count,
        )
    Item.objects.filter(id__in=[item.id for item in locked]).update(execution_id=None, instance_id=None)
    return taken


def lock(items: QuerySet[Item]) -> Sequence[Item]:
    """Lock the items in order, without those that a frozen client has locked: they come with the next try."""
    holders = dict(items.values_list("id", "instance_id"))
    skip = connection.features.has_select_for_update_skip_locked
    locked = Item.objects.select_for_update(skip_locked=skip).filter(id__in=sorted(holders)).order_by("id")
    return [item for item in locked if item.instance_id == holders[item.id]] if holders else []


def _taken_back(item: Item, job: Job) -> TakenBack:
    runs_again = job.failover and job.enabled and job.retired_at is None
    return TakenBack(
        execution=item.execution_id or 0,
        job=job.name,
        item=item.number,
        instance=item.instance_id or "",
        lost=not runs_again,
    )
