"""What the database ledger makes of rows that contradict each other, as after a partial restore."""

from datetime import timedelta

import pytest
from django.db.models import F

from scheduling.database.ledger import DatabaseLedger
from scheduling.database.registry import DatabaseRegistry
from scheduling.domain.errors import BrokenLedger
from scheduling.domain.fire import ExecutionState, FireState
from scheduling.models import Assignment, Execution, Fire, Item, Job, Leadership, Registration
from scheduling.tests.ports.database_stage import database_stage
from scheduling.tests.ports.stage import JOB, Stage, an_instance, succeeded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.mariadb]


@pytest.fixture
def stage() -> Stage:
    return database_stage()


def test_an_item_held_by_what_does_not_run_is_freed_and_keeps_no_other_item_back(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = stage.run_all(stage.configure(sharding_total_count=2), 30)
    Execution.objects.filter(id=broken.execution).delete()
    stage.ledger.die("a", by="b")
    assert [taken.execution for taken in stage.ledger.take_over()] == [sound.execution]
    assert not Item.objects.filter(execution_id__isnull=False).exists()
    assert f"held by execution {broken.execution}, which does not run: freed" in caplog.text


def test_opening_reads_no_parameters_of_what_has_not_been_claimed(stage: Stage, django_assert_max_num_queries) -> None:
    job = stage.configure(sharding_total_count=3, item_parameters={0: "x" * 50})
    stage.open(job, 60)
    with django_assert_max_num_queries(40) as captured:
        stage.open(job, 30)
    selects = [query["sql"] for query in captured.captured_queries if query["sql"].startswith("SELECT")]
    assert not [sql for sql in selects if "parameters" in sql]
    assert [row.state for row in stage.probe.executions(JOB)][:3] == [ExecutionState.CANCELLED] * 3


def test_item_parameters_that_are_none_are_left_out(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.open(stage.configure(item_parameters={0: "x"}), 30)
    Fire.objects.update(parameters=[1])
    stage.enter_instances("a")
    # Not the ledger that has opened the fire, and remembers it.
    (attempt,) = DatabaseLedger().claim(stage.live(), by="a", claim="mine")
    assert attempt.parameters == {}
    assert "runs without item parameters" in caplog.text


def test_a_job_whose_items_are_gone_opens_nothing_until_it_is_saved_again(stage: Stage) -> None:
    job = stage.configure(sharding_total_count=3)
    Item.objects.filter(number=1).delete()
    with pytest.raises(BrokenLedger, match="rows for 2 of 3 items"):
        stage.open(job, 30)
    assert not Fire.objects.exists() and not Execution.objects.exists()
    stage.open(stage.configure(sharding_total_count=3), 20)
    assert [execution.item for execution in stage.live()] == [0, 1, 2]


def test_a_fire_that_is_asked_for_needs_a_row_for_each_item_too(stage: Stage) -> None:
    stage.configure(sharding_total_count=2)
    Job.objects.update(sharding_total_count=5)
    with pytest.raises(BrokenLedger, match="rows for 2 of 5 items to open: save the job again"):
        stage.ledger.request(JOB, key=1, asked_by="ada")
    assert not Fire.objects.exists() and not Execution.objects.exists()


def test_an_execution_whose_item_is_gone_waits_and_keeps_no_other_back(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.open(stage.configure(sharding_total_count=2), 30)
    stage.enter_instances("a")
    gone, sound = stage.live()
    Item.objects.filter(number=0).delete()
    assert not stage.claim([gone]) and stage.claim([sound])
    assert [execution.item for execution in stage.live()] == [1]
    assert f"{JOB}: executions wait, as the ledger has no rows for their items: save the job again" in caplog.text
    stage.configure(sharding_total_count=2)
    assert [execution.item for execution in stage.live()] == [0, 1]


def test_what_ran_of_a_job_that_somebody_has_deleted_is_lost_and_keeps_no_other_back(stage: Stage) -> None:
    (deleted,) = stage.run_all(stage.configure(), 30)
    (sound,) = stage.run_all(stage.configure("other"), 30)
    Job.objects.filter(name=JOB).delete()
    stage.ledger.die("a", by="b")
    taken = {each.execution: each.lost for each in stage.ledger.take_over()}
    assert taken == {deleted.execution: True, sound.execution: False}
    assert not Item.objects.filter(execution_id__isnull=False).exists()


def test_an_execution_in_no_known_state_is_left_alone_and_settles_as_failed(stage: Stage) -> None:
    stage.open(stage.configure(sharding_total_count=2), 30)
    Execution.objects.filter(item=0).update(state="foo")
    assert [execution.item for execution in stage.live()] == [1]
    Execution.objects.update(live=None)
    stage.ledger.settle()
    assert [fire.state for fire in stage.probe.fires(JOB)] == [FireState.FAILED]


def test_what_started_while_the_clock_was_ahead_does_not_wait_for_that_time_when_its_instance_dies(
    stage: Stage,
) -> None:
    (attempt,) = stage.run_all(stage.configure(), 30)
    Execution.objects.update(deaths=1, started_at=F("started_at") + timedelta(days=1))
    stage.ledger.die("a", by="b")
    assert [taken.execution for taken in stage.ledger.take_over()] == [attempt.execution]
    assert Execution.objects.get().due_at < stage.now + timedelta(minutes=1)


def test_a_result_of_what_does_not_run_although_it_holds_its_item_is_reported(stage: Stage) -> None:
    (attempt,) = stage.run_all(stage.configure(), 30)
    Execution.objects.update(state=ExecutionState.PENDING)
    with pytest.raises(BrokenLedger, match="only 0 were running"):
        stage.ledger.finish([succeeded(attempt)])
    assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.PENDING]
    assert Item.objects.filter(execution_id=attempt.execution).exists()


@pytest.mark.parametrize("document", [{}, [], {"host": 1}, "x"])
def test_an_instance_whose_registration_cannot_be_read_lives_and_has_no_items_until_it_writes_it_anew(
    stage: Stage, document: object
) -> None:
    registry = DatabaseRegistry()
    instance = an_instance("a")
    registry.register(instance)
    Registration.objects.update(document=document)
    (shown,) = registry.cluster().instances.values()
    assert (shown.id, shown.takes_items) == ("a", False)
    registry.beat()
    registry.register(instance)
    assert registry.cluster().instances == {"a": instance}


@pytest.mark.parametrize("document", [[1], {"a": 1}, {"a": [["0", 1]]}, {"a": [[0, 2_000_000_000]]}, {"a": [[-1, 0]]}])
def test_an_assignment_that_cannot_be_read_is_none(stage: Stage, document: object) -> None:
    stage.configure()
    Leadership.objects.create(id=1, serial=1)
    Assignment.objects.create(job=Job.objects.get(name=JOB), epoch=1, document=document)
    assert DatabaseRegistry().cluster().assignments == {JOB: {}}
