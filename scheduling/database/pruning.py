"""Pruning: what is too old or too many is forgotten, in batches that lock nothing that anybody else writes."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from scheduling.database.clock import database_now
from scheduling.database.transactions import answered, transact
from scheduling.domain.retention import AT_LEAST, INSTANCES, KEEP_DAYS, KEEP_FIRES, Keep
from scheduling.models import Execution, Fire, Instance, Item, Job, Marker

logger = logging.getLogger("scheduling.database")

FIRES_AT_ONCE = 1_000
EXECUTIONS_AT_ONCE = 2_000
COUNTED_AT_ONCE = 100_000
JOBS_AT_ONCE = 25
INSTANCES_AT_ONCE = 200


class Batch(NamedTuple):
    """What one transaction deletes, by sorted ids; `is_cut` if not all that was asked for fits into it."""

    fires: Sequence[int]
    executions: Sequence[int]
    markers: Sequence[int]
    is_cut: bool


class Pruner:
    """Rounds over all jobs, a few of them at each call, as to count the fires of all would take long.

    Whatever happens between two calls, and whoever else prunes, a call deletes only what is of no use by then.
    """

    def __init__(self) -> None:
        self._after = 0
        """The id of the last job that has nothing to prune in this round."""

    def prune(self, not_after: datetime | None = None) -> bool:
        """Prune the jobs whose turn it is; return whether the round goes on."""
        with answered():
            now, before = database_now(), self._after
            now = min(now, not_after or now)
            fires, goes_on = self._take_turn(now)
            batch = batch_of(fires)
        if batch.fires or batch.executions:
            transact(lambda: forget(batch))
            logger.info("%s fires and %s executions are pruned", len(batch.fires), len(batch.executions))
        if batch.is_cut:
            self._after = before
        elif not goes_on:
            self._after = 0
            transact(lambda: forget_instances(now))
        return batch.is_cut or goes_on

    def _take_turn(self, now: datetime) -> tuple[list[int], bool]:
        """Return which fires go, and whether there are more, or more jobs."""
        fires: list[int] = []
        counted = 0
        jobs = list(Job.objects.filter(id__gt=self._after).order_by("id")[: JOBS_AT_ONCE + 1].values_list(*_COLUMNS))
        for job, days, most in jobs[:JOBS_AT_ONCE]:
            room = FIRES_AT_ONCE - len(fires)
            found, seen = of_no_use(job, Keep(days=days, fires=most).or_else(overall()), now, room)
            fires += found
            counted += seen
            if len(found) == room:
                return fires, True
            self._after = job
            if counted >= COUNTED_AT_ONCE:
                break
        return fires, bool(jobs) and jobs[-1][0] != self._after


_COLUMNS = ("id", "keep_days", "keep_fires")


def overall() -> Keep:
    """Return how long fires are kept of jobs that say nothing about it."""
    return Keep(
        days=getattr(settings, "SCHEDULING_KEEP_DAYS", KEEP_DAYS),
        fires=getattr(settings, "SCHEDULING_KEEP_FIRES", KEEP_FIRES),
    )


def of_no_use(job: int, keep: Keep, now: datetime, room: int) -> tuple[list[int], int]:
    """Return up to `room` of the job's oldest settled fires that are too old or too many, and how many were counted.

    The index over (job, settled_at) serves all of it: it is read from its old end, and counted no further than needed.
    """
    settled = Fire.objects.filter(job=job, settled_at__isnull=False)
    old = _oldest(settled.filter(settled_at__lt=keep.oldest(now)), room)
    if len(old) == room:
        return old, room
    counted = settled[: keep.most() + room].count()
    too_many = max(0, counted - keep.most())
    many = _oldest(settled.filter(settled_at__lt=now - AT_LEAST), too_many) if too_many > len(old) else []
    return max(old, many, key=len), counted


def _oldest(fires: QuerySet[Fire], most: int) -> list[int]:
    return list(fires.order_by("settled_at", "id").values_list("id", flat=True)[:most])


def batch_of(fires: Iterable[int]) -> Batch:
    """Return the rows to delete for these settled fires, as many as one transaction should."""
    ids = sorted(set(fires) - _held())
    executions = Execution.objects.filter(fire__in=ids).order_by("fire", "item").values_list("fire_id", "id")
    rows = list(executions[: EXECUTIONS_AT_ONCE + 1]) if ids else []
    is_cut = len(rows) > EXECUTIONS_AT_ONCE
    # A fire with 10,000 items loses some of them at each call, and goes with the last.
    whole = [id for id in ids if id < rows[-1][0]] if is_cut else ids
    ended = sorted(id for _fire, id in rows[:EXECUTIONS_AT_ONCE])
    markers = Marker.objects.filter(execution_id__in=ended).values_list("id", flat=True) if ended else ()
    return Batch(fires=whole, executions=ended, markers=sorted(markers), is_cut=is_cut)


def _held() -> set[int]:
    """Return the fires with executions that hold items: also ended ones do, whose handlers outlive their timeouts."""
    held = Item.objects.filter(execution_id__isnull=False).values("execution_id")
    return set(Execution.objects.filter(id__in=held).values_list("fire_id", flat=True))


def forget(batch: Batch) -> None:
    """Delete these rows within the caller's transaction, in the order of locks."""
    _delete(Marker, batch.markers)
    _delete(Execution, batch.executions)
    _delete(Fire, batch.fires)


def _delete(table: type[Model], ids: Sequence[int]) -> None:
    if not ids:
        return
    if connection.vendor != "mysql":
        table._default_manager.filter(id__in=ids).delete()
        return
    # Of a table with few other rows it scans all: so it ends at the last of these, and waits for nothing newer.
    name, marks = connection.ops.quote_name(table._meta.db_table), ",".join(["%s"] * len(ids))
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {name} WHERE id IN ({marks}) ORDER BY id LIMIT {len(ids)}", list(ids))


def forget_instances(now: datetime) -> None:
    """Delete instances that ended long ago, or never joined, unless an item still names them."""
    limit = now - INSTANCES
    gone = Instance.objects.filter(Q(died_at__lt=limit) | Q(joined_at__isnull=True, started_at__lt=limit))
    unnamed = gone.exclude(Exists(Item.objects.filter(instance_id=OuterRef("id"))))
    ids = list(unnamed.order_by("id").values_list("id", flat=True)[:INSTANCES_AT_ONCE])
    # An id is never used again, and who is dead claims nothing: no item can come to name it meanwhile.
    Instance.objects.filter(id__in=ids).delete()
