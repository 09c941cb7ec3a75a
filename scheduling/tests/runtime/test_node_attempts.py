"""What an instance does when attempts fail, or take too long."""

from collections import Counter
from itertools import pairwise

import pytest

from scheduling.domain.errors import BrokenLedger
from scheduling.domain.fire import ExecutionState, FireState, Reason
from scheduling.domain.job import Misfire
from scheduling.domain.retry import Backoff, Retry
from scheduling.domain.trigger import ManualTrigger
from scheduling.tests.runtime.stage import Stage, states


@pytest.fixture
def stage():
    return Stage()


def request(stage, **fields):
    """Configure a job without a trigger, and run it by hand once every instance has seen it."""
    stage.configure(**({"trigger": ManualTrigger()} | fields))
    stage.play(6)
    stage.ledger.request("job", key=7, asked_by="ada")


def rows(stage):
    return [(row.state, row.reason, row.attempt) for row in stage.probe.executions("job")]


def check_delays(stage, *expected):
    """Each attempt follows the one before after so many seconds, and the one until the ledger is looked at."""
    times = [time for time, _ in stage.ran_on]
    late = [later - time - delay for (time, later), delay in zip(pairwise(times), expected, strict=True)]
    assert all(0 <= each < 1.2 for each in late), late


# Timeouts


def test_an_attempt_whose_time_is_over_has_failed_while_its_handler_hangs(stage):
    a = stage.node("a")
    request(stage, timeout=3)
    stage.play(5, end=False)
    assert rows(stage) == [(ExecutionState.FAILED, Reason.TIMED_OUT, 1)]
    assert states(stage) == {FireState.FAILED: 1}
    (context,) = [context for context, _, _ in a.workers.attempts.values()]
    assert context.cancelled
    assert stage.ledger.look(["job"]).held == {("job", 0)}
    stage.play(12, end=False)  # no audit frees it either
    assert stage.ledger.look(["job"]).held == {("job", 0)}
    stage.play(0.5)
    assert stage.ledger.look(["job"]).held == frozenset()
    assert rows(stage) == [(ExecutionState.FAILED, Reason.TIMED_OUT, 1)]


def test_one_that_ends_in_time_is_not_cut_off(stage):
    stage.node("a")
    request(stage, timeout=3)
    stage.play(2.5, end=False)
    stage.play(5)
    assert rows(stage) == [(ExecutionState.SUCCEEDED, None, 1)]


@pytest.mark.parametrize(
    ("misfire", "expected"),
    [
        (Misfire.FIRE_ONCE, {FireState.FAILED: 1, FireState.COALESCED: 2, FireState.SUCCEEDED: 2}),
        (Misfire.SKIP, {FireState.FAILED: 1, FireState.SKIPPED: 3, FireState.SUCCEEDED: 1}),
    ],
)
def test_the_next_fires_of_its_item_wait_for_its_handler_or_are_skipped_by_policy(stage, misfire, expected):
    stage.configure(timeout=1, misfire=misfire)
    stage.node("a")
    stage.play(8.5, end=False)
    assert len(stage.actors["a"].workers.attempts) == 1
    stage.play(2.5)
    assert states(stage) == expected


def test_its_retry_waits_for_the_return_of_its_handler(stage):
    stage.node("a")
    stage.node("b")
    request(stage, timeout=2, retry=Retry(most=1, delay=1))
    stage.play(8, end=False)
    assert rows(stage) == [(ExecutionState.WAITING, Reason.TIMED_OUT, 1)]
    stage.play(2)
    assert [(state, n) for state, _, n in rows(stage)] == [(ExecutionState.SUCCEEDED, 2)]


def test_draining_does_not_wait_for_a_handler_whose_attempt_was_cut_off(stage):
    a = stage.node("a")
    stage.node("b")
    request(stage, timeout=2, sharding_total_count=2)
    stage.play(4, end=False)
    assert len(a.workers.attempts) == 1
    a.node.drain()
    stage.play(3, end=False)
    assert a.node.is_drained()
    assert a.node.running() == 0
    a.node.leave()
    del stage.actors["a"]
    stage.play(2, end=False)
    assert {item for _, item in stage.ledger.look(["job"]).held} == {key[1] for key in held_by(stage, "b")}


def held_by(stage, id):
    return {(attempt.job, attempt.item) for _, attempt, _ in stage.actors[id].workers.attempts.values()}


def test_a_lost_answer_to_a_cut_off_loses_nothing(stage):
    a = stage.node("a")
    cut_off, answers = stage.ledger.cut_off, []

    def lose_first(results, **limits):
        answers.append(cut_off(results, **limits))
        if len(answers) == 1:
            raise RuntimeError("the answer is lost")
        return answers[-1]

    stage.ledger.cut_off = lose_first
    request(stage, timeout=2)
    stage.play(6, end=False)
    assert answers[0] == answers[1] != {}
    assert a.node.running() == 0
    stage.play(1)
    assert stage.ledger.look(["job"]).held == frozenset()


def test_an_attempt_that_the_ledger_refuses_to_cut_off_keeps_no_other_back(stage):
    a = stage.node("a")
    cut_off = stage.ledger.cut_off

    def refuse_item_0(results, **limits):
        if any(result.attempt.item == 0 for result in results):
            raise BrokenLedger("it does not run")
        return cut_off(results, **limits)

    stage.ledger.cut_off = refuse_item_0
    request(stage, timeout=2, sharding_total_count=2)
    stage.play(4, end=False)
    assert [row[0] for row in rows(stage)] == [ExecutionState.RUNNING, ExecutionState.FAILED]
    stage.configure(name="other")
    stage.play(8, end=False)
    assert "other" in {job for job, _ in held_by(stage, "a")}
    assert all(context.cancelled for context, each, _ in a.workers.attempts.values() if each.job == "job")


# Retries


def test_a_fixed_delay_and_then_the_end(stage):
    stage.fails = lambda context: True
    stage.node("a")
    request(stage, retry=Retry(most=3, delay=5))
    stage.play(30)
    assert rows(stage) == [(ExecutionState.FAILED, Reason.RAISED, 4)]
    check_delays(stage, 5, 5, 5)
    assert states(stage) == {FireState.FAILED: 1}


def test_an_exponential_delay_with_a_maximum(stage):
    stage.fails = lambda context: True
    stage.node("a")
    request(stage, retry=Retry(most=4, delay=3, backoff=Backoff.EXPONENTIAL, delay_most=10))
    stage.play(45)
    check_delays(stage, 3, 6, 10, 10)


def test_a_retry_that_goes_well_ends_it(stage):
    stage.fails = lambda context: context.attempt < 3
    stage.node("a")
    request(stage, retry=Retry(most=5, delay=1))
    stage.play(10)
    assert rows(stage) == [(ExecutionState.SUCCEEDED, None, 3)]
    assert [token for _, token in stage.ran] == [1, 2, 3]


@pytest.mark.parametrize("ids", ["ab", "abc"])
def test_each_retry_moves_to_the_next_instance_by_id(stage, ids):
    stage.fails = lambda context: True
    for id in ids:
        stage.node(id)
    request(stage, retry=Retry(most=4, delay=1))
    stage.play(20)
    ran_on = [id for _, id in stage.ran_on]
    start = ids.index(ran_on[0])
    assert ran_on == [ids[(start + n) % len(ids)] for n in range(5)]


def test_alone_an_instance_retries_itself(stage):
    stage.fails = lambda context: True
    stage.node("a")
    request(stage, retry=Retry(most=2, delay=1))
    stage.play(10)
    assert [id for _, id in stage.ran_on] == ["a"] * 3


def test_without_retry_elsewhere_the_owner_retries(stage):
    stage.fails = lambda context: True
    stage.node("a")
    stage.node("b")
    request(stage, retry=Retry(most=2, delay=1, elsewhere=False))
    stage.play(10)
    assert len({id for _, id in stage.ran_on}) == 1
    assert len(stage.ran_on) == 3


def test_a_later_fire_of_the_item_waits_until_the_earlier_has_no_attempt_left(stage):
    stage.fails = lambda context: context.token <= 2
    stage.configure(misfire=Misfire.FIRE_ALL, retry=Retry(most=1, delay=5))
    stage.node("a")
    stage.play(20)
    firsts = [row.token for row in stage.probe.executions("job")][:3]
    assert firsts == [2, 3, 4]
    assert Counter(states(stage))[FireState.FAILED] == 1


def test_a_retry_that_is_due_while_its_instance_is_dead_runs_on_another(stage):
    stage.fails = lambda context: context.attempt == 1
    stage.node("a")
    stage.node("b")
    request(stage, retry=Retry(most=1, delay=3))
    stage.play(2)
    ((_, first),) = stage.ran_on
    del stage.actors[first]
    stage.play(15)
    assert [id for _, id in stage.ran_on] == [first, "b" if first == "a" else "a"]


def test_the_instance_that_was_to_retry_dies_and_another_does(stage):
    stage.fails = lambda context: context.attempt == 1
    for id in "abc":
        stage.node(id)
    request(stage, retry=Retry(most=1, delay=3))
    stage.play(2)
    ((_, first),) = stage.ran_on
    due = "abc"[("abc".index(first) + 1) % 3]
    del stage.actors[due]
    stage.play(15)
    assert rows(stage) == [(ExecutionState.SUCCEEDED, None, 2)]
    assert stage.ran_on[1][1] not in (first, due)


def test_what_waits_is_cancelled_when_its_job_is_disabled(stage):
    stage.fails = lambda context: True
    stage.node("a")
    request(stage, retry=Retry(most=1, delay=5))
    stage.play(2)
    stage.configure(trigger=ManualTrigger(), enabled=False)
    stage.play(10)
    assert rows(stage) == [(ExecutionState.CANCELLED, Reason.DISABLED, 1)]
    assert len(stage.ran) == 1
