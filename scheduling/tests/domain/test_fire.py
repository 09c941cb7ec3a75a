from datetime import UTC, datetime, timedelta

import pytest

from scheduling.domain.fire import ExecutionState, FireState, LiveExecution, Look, Reason, claimable, settled_state

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
PENDING, RUNNING, WAITING = ExecutionState.PENDING, ExecutionState.RUNNING, ExecutionState.WAITING


def live(execution, item=0, ago=0, state=PENDING, due=None, run=0):
    fire_time = NOW - timedelta(seconds=ago)
    return LiveExecution(
        execution=execution, job="job", item=item, fire_time=fire_time, run=run, due_at=due or fire_time, state=state
    )


def chosen(*executions, mine=frozenset({0, 1}), held=(), busy=frozenset()):
    look = Look(now=NOW, executions=executions, held=frozenset(held))
    return [execution.execution for execution in claimable(look, lambda e: e.item in mine, busy)]


def test_of_each_item_only_the_oldest_is_claimed_and_the_longest_due_first():
    assert chosen(live(1, ago=2), live(2, ago=4), live(3, item=1, ago=9)) == [3, 2]


def test_an_oldest_that_waits_for_its_next_attempt_keeps_the_later_ones_back():
    waiting = live(1, ago=9, state=WAITING, due=NOW + timedelta(seconds=5))
    assert chosen(waiting, live(2, ago=2)) == []


def test_an_item_is_left_alone_if_it_is_held_or_busy_or_not_mine():
    assert chosen(live(1), held=[("job", 0)]) == []
    assert chosen(live(1), busy={("job", 0)}) == []
    assert chosen(live(1), mine=frozenset({1})) == []
    assert chosen(live(1, state=RUNNING)) == []


def test_two_runs_of_one_fire_time_are_claimed_in_the_order_of_their_runs():
    assert chosen(live(2, run=7), live(1, run=0)) == [1]


@pytest.mark.parametrize(
    ("ends", "state", "reason"),
    [
        (["succeeded", "succeeded"], FireState.SUCCEEDED, None),
        (["succeeded", "cancelled"], FireState.SUCCEEDED, None),
        (["succeeded", "failed"], FireState.PARTLY_FAILED, None),
        (["succeeded", "lost"], FireState.PARTLY_FAILED, None),
        (["failed", "killed", "cancelled"], FireState.FAILED, None),
        (["lost"], FireState.FAILED, None),
        (["cancelled", "cancelled"], FireState.SKIPPED, Reason.DISABLED),
    ],
)
def test_a_fire_settles_to_what_became_of_its_executions(ends, state, reason):
    assert settled_state([(ExecutionState(end), Reason.DISABLED) for end in ends]) == (state, reason)


def test_a_fire_of_which_nothing_ran_because_a_later_one_did_is_coalesced():
    ends = [(ExecutionState.CANCELLED, Reason.COALESCED)] * 2
    assert settled_state(ends) == (FireState.COALESCED, Reason.STILL_RAN)
