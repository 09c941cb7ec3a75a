"""What the database ledger makes of rows that contradict each other, as after a partial restore."""

import pytest

from scheduling.domain.fire import ExecutionState
from scheduling.models import Execution, Item
from scheduling.tests.ports.database_stage import database_stage
from scheduling.tests.ports.stage import JOB, Stage

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
