"""Pruning in the database: how much at once, in which rounds, and that nobody waits for it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from time import monotonic

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from scheduling.database import pruning
from scheduling.database.clock import database_now
from scheduling.database.ledger import DatabaseLedger
from scheduling.domain.fire import FireState
from scheduling.domain.job import Job
from scheduling.models import Execution, Fire, Instance, Item
from scheduling.models import Job as JobRow
from scheduling.tests.ports.database_stage import database_stage, on_thread
from scheduling.tests.ports.pruning_suite import prune_all
from scheduling.tests.ports.stage import JOB, SECONDS, Stage, succeeded

pytestmark = [pytest.mark.usefixtures("transactional_db"), pytest.mark.mariadb]

DAY = 86_400
LOCK_WAIT = 2
"""Seconds that one who waits for a lock would wait at least."""


@pytest.fixture
def stage() -> Stage:
    return database_stage()


def fill(job: Job, number: int, *, settled_ago: float, total: int = 1, since: int = 0) -> None:
    """Load fires that settled one after the other."""
    id = JobRow.objects.get(name=job.name).pk
    settled = database_now() - timedelta(seconds=settled_ago)
    times = [settled.replace(microsecond=0) + timedelta(seconds=since + at) for at in range(number)]
    Fire.objects.bulk_create(
        Fire(job_id=id, fire_time=t, opened_at=t, settled_at=t, revision=1, total=total, state=FireState.SUCCEEDED)
        for t in times
    )
    fires = Fire.objects.filter(job=id, fire_time__in=times)
    Execution.objects.bulk_create(
        (
            Execution(fire=fire, job_id=id, item=item, state="succeeded", due_at=fire.fire_time)
            for fire in fires
            for item in range(total)
        ),
        batch_size=1_000,
    )


def test_a_call_forgets_a_bounded_number_of_fires_the_oldest_first(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "FIRES_AT_ONCE", 10)
    fill(stage.configure(), 25, settled_ago=8 * DAY)
    before = [row.fire_time for row in stage.probe.fires(JOB)]
    for left in (15, 5):
        assert stage.ledger.prune()
        assert [row.fire_time for row in stage.probe.fires(JOB)] == before[-left:]
    assert not stage.ledger.prune()
    assert (Fire.objects.count(), Execution.objects.count()) == (0, 0)


def test_a_fire_with_many_items_goes_piece_by_piece(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "EXECUTIONS_AT_ONCE", 10)
    fill(stage.configure(), 2, settled_ago=8 * DAY, total=12)
    seen = []
    while stage.ledger.prune():
        seen.append((Fire.objects.count(), Execution.objects.count()))
    assert seen == [(2, 14), (1, 4)]
    assert (Fire.objects.count(), Execution.objects.count()) == (0, 0)


def test_a_round_goes_over_all_jobs_a_few_at_each_call(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "JOBS_AT_ONCE", 3)
    jobs = [stage.configure(f"job-{number:02}") for number in range(8)]
    for job in jobs:
        fill(job, 2, settled_ago=8 * DAY)
    prune_all(stage.ledger)
    assert Fire.objects.count() == 0
    fill(jobs[0], 2, settled_ago=8 * DAY)
    prune_all(stage.ledger)
    assert Fire.objects.count() == 0


def test_no_more_is_counted_at_once_than_one_call_should(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "COUNTED_AT_ONCE", 5)
    for name in ("one", "two", "three"):
        fill(stage.configure(name), 6, settled_ago=DAY)
    monkeypatch.setattr(pruning, "JOBS_AT_ONCE", 100)
    with CaptureQueriesContext(connection) as queries:
        assert stage.ledger.prune()
    assert sum("COUNT(" in query["sql"] for query in queries) < JobRow.objects.count()
    prune_all(stage.ledger)
    assert Fire.objects.count() == 18


def test_a_job_s_own_limit_and_the_overall_one_are_both_read_at_each_call(stage: Stage, settings) -> None:
    settings.SCHEDULING_KEEP_DAYS, settings.SCHEDULING_KEEP_FIRES = 3, 4
    fill(stage.configure(), 6, settled_ago=DAY)
    fill(stage.configure("own"), 6, settled_ago=4 * DAY)
    stage.probe.keep("own", days=5, fires=5)
    prune_all(stage.ledger)
    assert [len(stage.probe.fires(name)) for name in (JOB, "own")] == [4, 5]
    stage.probe.keep("own")
    prune_all(stage.ledger)
    assert [len(stage.probe.fires(name)) for name in (JOB, "own")] == [4, 0]


def test_pruning_waits_for_nobody_and_nobody_for_it(several_writers: None, stage: Stage) -> None:
    job = stage.configure(sharding_total_count=3)
    fill(job, 30, settled_ago=8 * DAY, total=3)
    stage.open(job, 30)
    stage.enter_instances("a")
    open_fire = Fire.objects.get(unsettled=True).pk
    locked, goes_on = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            list(Item.objects.select_for_update().filter(job__name=JOB))
            for execution in stage.live():
                list(Execution.objects.select_for_update().filter(id=execution.execution))
            list(Fire.objects.select_for_update().filter(id=open_fire))
            locked.set()
            goes_on.wait(SECONDS)

    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(on_thread, hold)
        try:
            assert locked.wait(SECONDS)
            began_at = monotonic()
            prune_all(stage.ledger)
            assert monotonic() - began_at < LOCK_WAIT
        finally:
            goes_on.set()
        holder.result(SECONDS)
    assert len(stage.probe.fires(JOB)) == 1


def test_claims_and_results_go_on_while_a_batch_is_not_committed(several_writers: None, stage: Stage) -> None:
    job = stage.configure(sharding_total_count=3)
    fill(job, 30, settled_ago=8 * DAY, total=3)
    deleted, goes_on = Event(), Event()

    def delete() -> None:
        with transaction.atomic():
            ids = list(Fire.objects.filter(unsettled__isnull=True).values_list("id", flat=True))
            pruning.forget(pruning.batch_of(ids))
            deleted.set()
            goes_on.wait(SECONDS)

    with ThreadPoolExecutor(1) as pool:
        pruner = pool.submit(on_thread, delete)
        try:
            assert deleted.wait(SECONDS)
            attempts = stage.run_all(job, 30)
            stage.ledger.finish([succeeded(attempt) for attempt in attempts])
            assert stage.ledger.settle() == 1
        finally:
            goes_on.set()
        pruner.result(SECONDS)
    assert len(stage.probe.fires(JOB)) == 1


def test_an_instance_that_never_joined_is_forgotten_too(stage: Stage) -> None:
    for name, days in (("young", 1), ("old", 8)):
        started = database_now() - timedelta(days=days)
        Instance.objects.create(id=name, host="h", pid=1, started_at=started)
    prune_all(stage.ledger)
    assert stage.probe.instances() == {"young"}


def test_a_new_leader_s_ledger_begins_a_round_of_its_own(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "FIRES_AT_ONCE", 10)
    fill(stage.configure(), 25, settled_ago=8 * DAY)
    assert stage.ledger.prune()
    prune_all(DatabaseLedger())
    assert Fire.objects.count() == 0
