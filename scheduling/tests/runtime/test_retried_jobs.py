"""What becomes of a failed execution whose job is edited while it waits."""

import pytest

from scheduling.domain.fire import ExecutionState, Reason
from scheduling.domain.retry import Retry
from scheduling.domain.trigger import ManualTrigger
from scheduling.tests.runtime.stage import Stage, handler


@pytest.fixture
def stage():
    return Stage()


def fail_at_first(context):
    if context.attempt == 1:
        raise ValueError("at first")


def a_waiting_execution(stage):
    """Let an item fail on the instance that owns it, and wait for another one to try again."""
    stage.configure(trigger=ManualTrigger(), retry=Retry(most=1, delay=3))
    for id in ("a", "b"):
        stage.node(id).node._handlers["job"] = handler(fail_at_first)
    stage.play(2)
    stage.ledger.request("job", key=1, asked_by="admin")
    stage.play(2)
    (row,) = stage.probe.executions("job")
    assert row.state is ExecutionState.WAITING
    return row


def test_a_failed_execution_is_tried_again_on_the_next_instance(stage):
    failed_on = a_waiting_execution(stage).instance
    stage.play(4)
    (row,) = stage.probe.executions("job")
    assert (row.state, row.attempt) == (ExecutionState.SUCCEEDED, 2)
    assert {failed_on, row.instance} == {"a", "b"}


def test_what_waits_elsewhere_is_tried_again_although_its_job_has_no_retries_any_more(stage):
    a_waiting_execution(stage)
    stage.configure(trigger=ManualTrigger(), retry=Retry(most=0))
    stage.play(6)
    (row,) = stage.probe.executions("job")
    assert (row.state, row.attempt) == (ExecutionState.SUCCEEDED, 2)


def test_what_waits_is_cancelled_when_its_job_is_disabled(stage):
    a_waiting_execution(stage)
    stage.configure(trigger=ManualTrigger(), retry=Retry(most=1, delay=3), enabled=False)
    stage.play(6)
    (row,) = stage.probe.executions("job")
    assert (row.state, row.reason, row.attempt) == (ExecutionState.CANCELLED, Reason.DISABLED, 1)
