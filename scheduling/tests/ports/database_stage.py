"""The stage on Django's ORM, and the suites' look behind it."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.db import connections
from django.db.models import F

from scheduling.database.clock import database_now
from scheduling.database.fence import DatabaseFence
from scheduling.database.ledger import DatabaseLedger
from scheduling.domain.fire import ExecutionState, FireState, Reason
from scheduling.models import Cursor, Execution, Fire, Instance, Item, Registration
from scheduling.tests.ports.probe import ExecutionRow, FireRow
from scheduling.tests.ports.stage import Stage

Answer = TypeVar("Answer")


def database_stage(make_ledger: Callable[[], DatabaseLedger] = DatabaseLedger) -> Stage:
    """Return a stage on the default database."""
    return Stage(make_ledger=make_ledger, fence=DatabaseFence(), probe=DatabaseProbe(), enter=on_thread)


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

    def rewind(self, job: str, seconds: float) -> None:
        then = database_now() - timedelta(seconds=seconds)
        Cursor.objects.filter(job__name=job).update(counted_to=then, anchor=then.replace(microsecond=0))

    def retry_later(self, execution: int) -> None:
        Execution.objects.filter(id=execution).update(state=ExecutionState.WAITING)

    def forget(self, instance: str) -> None:
        Instance.objects.filter(id=instance).delete()


def pass_time(seconds: float) -> None:
    """Let every registration have been seen that much longer ago, as if time had passed."""
    Registration.objects.update(seen_at=F("seen_at") - timedelta(seconds=seconds))


def _reason(value: str) -> Reason | None:
    return Reason(value) if value else None


def _progress(done: int | None, total: int | None) -> tuple[int, int] | None:
    return None if done is None or total is None else (done, total)
