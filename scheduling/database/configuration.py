"""Configuring jobs: what people save, with everything that has to happen in the same transaction.

All functions run within the caller's transaction.
"""

from datetime import UTC, datetime

from django.db import transaction

from scheduling.database import finishing
from scheduling.database.clock import database_now
from scheduling.database.insertion import insert_executions
from scheduling.database.transactions import transact
from scheduling.domain import job as domain
from scheduling.domain.errors import ClockAhead, InvalidJob, JobDisabled, UnknownJob
from scheduling.domain.fire import ExecutionState, FireState, Reason
from scheduling.domain.misfire import Missed, missed_between
from scheduling.domain.trigger import CronTrigger, DateTrigger, IntervalTrigger, Trigger
from scheduling.models import Cursor, Execution, Fire, Item, Job
from scheduling.models.job import TriggerKind
from scheduling.models.ledger import IS_LIVE, Kind

MOST_AHEAD = 60.0


def row_of(name: str) -> Job:
    """Return the job's row; raise `UnknownJob`, also if it is retired."""
    row = Job.objects.select_related("cursor").filter(name=name, retired_at__isnull=True).first()
    if row is None:
        raise UnknownJob(name)
    return row


def locked(id: int) -> Job:
    """Return the row as nobody else can change it before this transaction ends."""
    list(Cursor.objects.select_for_update().filter(job=id))
    return Job.objects.select_related("cursor").get(id=id)


def configure(job: domain.Job) -> int:
    """Save the job given as a domain value; see `save`. How long its fires are kept stays as it is in the row."""
    row = Job.objects.filter(name=job.name).first() or Job(name=job.name)
    row.handler = job.handler
    row.enabled = job.enabled
    row.sharding_total_count = job.sharding_total_count
    row.item_parameters = domain.format_item_parameters(job.item_parameters)
    row.strategy = job.strategy
    row.misfire = job.misfire
    row.fire_all_most = job.fire_all_most
    row.fire_all_age = job.fire_all_age
    row.failover = job.failover
    row.retries = job.retry.most
    row.retry_delay = job.retry.delay
    row.retry_backoff = job.retry.backoff
    row.retry_delay_most = job.retry.delay_most
    row.retry_elsewhere = job.retry.elsewhere
    row.timeout = job.timeout
    row.on_timeout = job.on_timeout
    row.isolation = job.isolation
    for field, value in _trigger_fields(job.trigger).items():
        setattr(row, field, value)
    return save(row)


def save(row: Job) -> int:
    """Save the row, raise the job's revision and move its cursor to the database's now; return the revision.

    One fire row stands for what was due and unopened under the old trigger. Disabling cancels what is pending or
    waiting. A retired job is taken up again, with the items and tokens it had.
    """
    check_clock()
    row.retired_at = None
    return _save(row, Reason.EDITED if row.enabled else Reason.DISABLED)


def retire(row: Job) -> None:
    """Hide the job and cancel what is pending or waiting; what runs ends."""
    check_clock()
    row.enabled = False
    row.retired_at = database_now()
    _save(row, Reason.RETIRED)


def check_clock() -> None:
    """Raise `ClockAhead` if the database's clock is over a minute ahead of this machine's.

    A cursor that moves there has its job silent until then, also when the clock is right again.
    """
    ahead = (database_now() - datetime.now(UTC)).total_seconds()
    if ahead > MOST_AHEAD:
        raise ClockAhead(ahead)


def request(row: Job, *, key: int, asked_by: str) -> int:
    """Open a manual fire and return its id; the same key again is the same fire.

    Raise `JobDisabled`; `BrokenLedger` if the job has more items than rows for them.
    """
    check_clock()
    row = locked(row.pk)
    cursor = getattr(row, "cursor", None)
    asked_before = Fire.objects.filter(job=row, request=key).values_list("id", flat=True).first()
    if asked_before is not None:
        return asked_before
    if cursor is None or not cursor.enabled:
        raise JobDisabled(row.name)
    fire = Fire.objects.create(**_manual_fire(row, cursor, key, asked_by))
    insert_executions([fire.id], row.sharding_total_count)
    return fire.id


def _manual_fire(row: Job, cursor: Cursor, key: int, asked_by: str) -> dict[str, object]:
    now = database_now()
    return {
        "job": row,
        "fire_time": now.replace(microsecond=0),
        "run": key,
        "request": key,
        "kind": Kind.MANUAL,
        "asked_by": asked_by,
        "revision": cursor.revision,
        "total": row.sharding_total_count,
        "parameters": {str(item): parameter for item, parameter in row.parsed_parameters().items()},
        "state": FireState.OPEN,
        "unsettled": True,
        "opened_at": now,
    }


def _save(row: Job, reason: Reason) -> int:
    cursor = Cursor.objects.select_for_update().filter(job=row.pk).first() if row.pk else None
    old = Job.objects.select_related("cursor").filter(pk=row.pk).first()
    now = database_now()
    row.save()
    if old and cursor and (missed := _missed(old, cursor, now, reason)):
        _account_for(old, cursor, missed, now)
    _move_cursor(row, cursor, old, now)
    _make_items(row)
    if not row.enabled:
        _cancel_not_running(row, reason, now)
    return Cursor.objects.values_list("revision", flat=True).get(job=row)


def _move_cursor(row: Job, cursor: Cursor | None, old: Job | None, now: datetime) -> None:
    if cursor is None:
        cursor = Cursor(job=row, counted_to=now, enabled=False)
    if not cursor.enabled or old is None or (old.trigger_kind, old.interval) != (row.trigger_kind, row.interval):
        cursor.anchor = now.replace(microsecond=0)
    cursor.revision += 1
    cursor.enabled = row.enabled
    cursor.counted_to = max(now, cursor.counted_to)
    cursor.save()


def _make_items(row: Job) -> None:
    have = set(Item.objects.filter(job=row).values_list("number", flat=True))
    missing = (Item(job=row, number=number) for number in range(row.sharding_total_count) if number not in have)
    Item.objects.bulk_create(missing, batch_size=200)


def _missed(old: Job, cursor: Cursor, now: datetime, reason: Reason) -> Missed | None:
    if not cursor.enabled:
        return None
    try:
        return missed_between(old.trigger(cursor.anchor or cursor.counted_to), cursor.counted_to, now, reason)
    except InvalidJob:
        return None


def _account_for(old: Job, cursor: Cursor, missed: Missed, now: datetime) -> None:
    Fire.objects.create(
        job=old,
        fire_time=missed.last,
        revision=cursor.revision,
        total=old.sharding_total_count,
        state=missed.state,
        reason=missed.reason,
        missed_count=missed.count,
        first_missed=missed.first,
        opened_at=now,
        settled_at=now,
    )


def _cancel_not_running(row: Job, reason: Reason, now: datetime) -> None:
    # Whoever changes an execution's state holds its item, so that no claim of it is under way.
    list(Item.objects.select_for_update().filter(job=row).order_by("id").values_list("id"))
    not_running = Execution.objects.filter(IS_LIVE, job=row, state__in=(ExecutionState.PENDING, ExecutionState.WAITING))
    fires = sorted(set(not_running.values_list("fire_id", flat=True)))
    not_running.update(state=ExecutionState.CANCELLED, live=None, finished_at=now, reason=reason)
    transaction.on_commit(lambda: settle(fires), robust=True)  # else the sweep does


def settle(fires: list[int]) -> None:
    """Settle these fires, in a transaction of its own."""
    transact(lambda: finishing.settle_fires(fires))


def _trigger_fields(trigger: Trigger) -> dict[str, object]:
    match trigger:
        case CronTrigger():
            return {
                "trigger_kind": TriggerKind.CRON,
                "cron": trigger.expression,
                "time_zone": trigger.time_zone,
                "dst": trigger.dst,
            }
        case IntervalTrigger():
            return {"trigger_kind": TriggerKind.INTERVAL, "interval": trigger.seconds}
        case DateTrigger():
            return {"trigger_kind": TriggerKind.DATE, "at": trigger.at}
        case _:
            return {"trigger_kind": TriggerKind.MANUAL}
