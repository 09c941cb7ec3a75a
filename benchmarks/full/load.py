"""Loading a ledger with fires that have settled, one statement for ten thousand of them."""

from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from scheduling.models import Execution, Fire, Job

AT_ONCE = 5_000
JOBS = 6


def load(jobs: list[Job], fires: int) -> None:
    """Load so many fires, one a second of each job up to an hour ago, with one execution each."""
    each = fires // len(jobs)
    begins = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1, seconds=each)
    for start in range(0, each, AT_ONCE):
        with transaction.atomic():
            for job in jobs:
                _load(job, [begins + timedelta(seconds=at) for at in range(start, min(start + AT_ONCE, each))])
    analyse()


def _load(job: Job, times: list[datetime]) -> None:
    Fire.objects.bulk_create(
        Fire(job=job, fire_time=t, opened_at=t, settled_at=t, revision=1, total=1, state="succeeded", opener="a")
        for t in times
    )
    ids = Fire.objects.filter(job=job, fire_time__in=(times[0], times[-1])).values_list("id", flat=True)
    fires = Fire.objects.filter(job=job, id__range=(min(ids), max(ids))).values_list("id", "fire_time")
    Execution.objects.bulk_create(
        Execution(
            fire_id=id,
            job=job,
            item=0,
            state="succeeded",
            due_at=time,
            attempt=1,
            token=1,
            instance_id="a",
            claim="c",
            started_at=time,
            finished_at=time,
            message="1,234 rows",
        )
        for id, time in fires
    )


def analyse() -> None:
    """Let the database count, as it does by itself after a while."""
    tables = (Fire._meta.db_table, Execution._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute(f"ANALYZE TABLE {', '.join(tables)}")
            cursor.fetchall()
