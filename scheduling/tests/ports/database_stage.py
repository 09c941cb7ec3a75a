"""The stage on Django's ORM, and the suites' look behind it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import connection, connections
from django.db.models import F

from scheduling.database.clock import database_now
from scheduling.database.fence import DatabaseFence
from scheduling.database.ledger import DatabaseLedger
from scheduling.database.snapshot import read_snapshot
from scheduling.domain.cluster import Cluster
from scheduling.domain.fire import ExecutionState, FireState, Reason
from scheduling.models import Cursor, Execution, Fire, Instance, Item, Job, Marker, Registration
from scheduling.tests.ports.probe import ExecutionRow, FireRow
from scheduling.tests.ports.stage import SECONDS, Stage

Answer = TypeVar("Answer")
Act = Callable[[], object]


def database_stage(make_ledger: Callable[[], DatabaseLedger] = DatabaseLedger) -> Stage:
    """Return a stage on the default database."""
    return Stage(make_ledger=make_ledger, fence=DatabaseFence(), probe=DatabaseProbe(), enter=on_thread)


def call_nobody() -> None:
    """Leave a moment to itself."""


def on_thread(function: Callable[[], Answer]) -> Answer:
    """Run the work of a whole thread, and leave no connection behind."""
    try:
        return function()
    finally:
        connections.close_all()


class DatabaseProbe:
    """The probe of the default database."""

    def fires(self, job: str) -> list[FireRow]:
        return [
            FireRow(
                fire=fire.id,
                fire_time=fire.fire_time,
                run=fire.run,
                state=FireState(fire.state),
                reason=_reason(fire.reason),
                missed_count=fire.missed_count,
                first_missed=fire.first_missed,
                coalesced_into=fire.coalesced_into_id,
            )
            for fire in Fire.objects.filter(job__name=job).order_by("fire_time", "run")
        ]

    def executions(self, job: str) -> list[ExecutionRow]:
        rows = Execution.objects.filter(job__name=job).order_by("fire__fire_time", "fire__run", "item")
        return [
            ExecutionRow(
                execution=row.id,
                fire=row.fire_id,
                item=row.item,
                state=ExecutionState(row.state),
                reason=_reason(row.reason),
                attempt=row.attempt,
                token=row.token,
                instance=row.instance_id,
                message=row.message,
                progress=_progress(row.progress_done, row.progress_total),
            )
            for row in rows
        ]

    def tokens(self, job: str) -> dict[int, int]:
        return dict(Item.objects.filter(job__name=job).values_list("number", "token"))

    def shown(self) -> tuple[Cluster, str, datetime] | None:
        seen = read_snapshot()
        return (seen.cluster, seen.cluster.leader or "", seen.looked_at) if seen else None

    def rewind(self, job: str, seconds: float) -> None:
        then = database_now() - timedelta(seconds=seconds)
        Cursor.objects.filter(job__name=job).update(counted_to=then, anchor=then.replace(microsecond=0))

    def retry_later(self, execution: int) -> None:
        Execution.objects.filter(id=execution).update(state=ExecutionState.WAITING)

    def hurry(self, execution: int) -> None:
        Execution.objects.filter(id=execution).update(due_at=database_now())

    def forget(self, instance: str) -> None:
        Instance.objects.filter(id=instance).delete()

    def instances(self) -> set[str]:
        return set(Instance.objects.values_list("id", flat=True))

    def markers(self) -> set[tuple[int, str]]:
        return set(Marker.objects.values_list("execution_id", "name"))

    def keep(self, job: str, *, days: int | None = None, fires: int | None = None) -> None:
        Job.objects.filter(name=job).update(keep_days=days, keep_fires=fires)

    def age(self, seconds: float) -> None:
        Fire.objects.update(settled_at=F("settled_at") - timedelta(seconds=seconds))
        Instance.objects.update(died_at=F("died_at") - timedelta(seconds=seconds))


def meanwhile(function: Callable[[], Answer]) -> Answer:
    """Let somebody else do this, on a connection of their own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(on_thread, function).result(SECONDS)


@contextmanager
def at_the_lock_of_an_item(*, before: Act = call_nobody, after: Act = call_nobody) -> Iterator[None]:
    """Let somebody else act directly before, or after, this connection's first lock on items."""
    acts = [before, after]

    def execute(run: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if not acts or "FOR UPDATE" not in sql or Item._meta.db_table not in sql:
            return run(sql, *rest)
        meanwhile(acts.pop(0))
        result = run(sql, *rest)
        meanwhile(acts.pop(0))
        return result

    with connection.execute_wrapper(execute):
        yield
    assert not acts, "no item was locked"


def pass_time(seconds: float) -> None:
    """Let every registration have been seen that much longer ago, as if time had passed."""
    Registration.objects.update(seen_at=F("seen_at") - timedelta(seconds=seconds))


def _reason(value: str) -> Reason | None:
    return Reason(value) if value else None


def _progress(done: int | None, total: int | None) -> tuple[int, int] | None:
    return None if done is None or total is None else (done, total)
