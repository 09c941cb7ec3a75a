from collections import Counter

import pytest

from scheduling.domain.fire import ExecutionState, FireState, Reason
from scheduling.domain.instance import Holding
from scheduling.domain.job import Misfire
from scheduling.domain.trigger import IntervalTrigger, ManualTrigger
from scheduling.tests.runtime.stage import START, Stage, owned, states


@pytest.fixture
def stage():
    return Stage()


def test_each_fire_time_runs_once_and_settles(stage):
    stage.configure()
    stage.node("a")
    stage.node("b")
    stage.play(21)
    assert states(stage) == {FireState.SUCCEEDED: 10}
    assert [token for _, token in stage.ran] == list(range(1, 11))


def test_items_are_shared_and_follow_when_an_instance_joins(stage):
    stage.configure(sharding_total_count=10)
    stage.node("a")
    stage.play(2)
    assert owned(stage) == {"a": 10}
    stage.node("b")
    stage.play(2)
    assert owned(stage) == {"a": 5, "b": 5}
    stage.play(17)
    assert states(stage) == {FireState.SUCCEEDED: 10}
    assert len(stage.ran) == 100


def test_a_dead_instance_is_replaced_within_the_session_timeout_and_a_second(stage):
    stage.configure(sharding_total_count=4)
    stage.node("a")
    stage.node("b")
    stage.play(7)
    stage.play(1.3, end=False)  # the fire at 8 s has begun everywhere
    del stage.actors["a"]
    stage.actors["b"].workers.end_all()
    stage.play(6.5)
    assert owned(stage) == {"b": 4}
    again = [row for row in stage.probe.executions("job") if row.attempt == 2]
    assert len(again) == 2
    assert {row.state for row in again} == {ExecutionState.SUCCEEDED}
    assert {row.instance for row in again} == {"b"}


def test_without_failover_what_a_dead_instance_ran_is_lost(stage):
    stage.configure(failover=False)
    actor = stage.node("a")
    stage.play(3, end=False)
    stage.node("b")
    stage.play(1, end=False)
    del stage.actors[actor.id]
    stage.play(12)
    lost = [row for row in stage.probe.executions("job") if row.state is ExecutionState.LOST]
    assert [(row.reason, row.attempt) for row in lost] == [(Reason.INSTANCE_DIED, 1)]
    assert states(stage)[FireState.FAILED] == 1


def test_a_frozen_instance_that_wakes_starts_nothing_under_its_old_id(stage):
    stage.configure(sharding_total_count=2)
    a = stage.node("a")
    stage.node("b")
    stage.play(7)
    stage.play(1.3, end=False)
    a.frozen = True
    stage.actors["b"].workers.end_all()
    stage.play(8)
    (context,) = [context for context, _, _ in a.workers.attempts.values()]
    a.frozen = False
    stage.play(2, end=False)
    assert a.id == "a-2"
    assert context.cancelled
    stage.play(4)
    assert owned(stage) == {"a-2": 1, "b": 1}
    assert max(Counter(stage.ran).values()) == 1


def test_an_instance_that_was_declared_dead_while_it_is_well_goes_on_working(stage):
    stage.configure(sharding_total_count=2)
    stage.node("a")
    stage.play(3)
    stage.ledger.die("a", by="operator")
    stage.play(6)
    assert states(stage) == {FireState.SUCCEEDED: 4}
    assert stage.ledger.joined() == {"a-2"}


def test_an_item_that_its_old_thread_still_runs_is_not_claimed_again_by_the_same_process(stage):
    stage.configure()
    a = stage.node("a")
    stage.play(3, end=False)
    assert len(a.workers.attempts) == 1
    stage.ledger.die("a", by="operator")
    stage.play(3, end=False)
    assert a.id == "a-2"
    assert len(a.workers.lateness) == 1  # nothing has been started since
    stage.play(3)
    assert [row.token for row in stage.probe.executions("job") if row.item == 0 and row.attempt == 2] == [2]


def test_a_draining_instance_claims_nothing_more_and_hands_its_items_over(stage):
    stage.configure(sharding_total_count=4)
    a = stage.node("a")
    stage.node("b")
    stage.play(7)
    stage.play(1, end=False)
    a.node.drain()
    assert not a.node.is_drained()
    stage.play(2)
    assert owned(stage) == {"b": 4}
    assert a.node.is_drained()
    a.node.leave()
    del stage.actors["a"]
    stage.play(10)
    assert set(states(stage)) <= {FireState.SUCCEEDED, FireState.OPEN}
    assert all(row.attempt <= 1 for row in stage.probe.executions("job"))


def test_an_item_that_still_runs_gets_the_latest_fire_when_it_is_free(stage):
    stage.configure()
    stage.node("a")
    stage.play(2.5, end=False)
    stage.play(6, end=False)
    stage.play(3)
    assert states(stage) == {FireState.SUCCEEDED: 3, FireState.COALESCED: 2}


def test_under_skip_nothing_is_caught_up(stage):
    stage.configure(misfire=Misfire.SKIP)
    stage.node("a")
    stage.play(2.5, end=False)
    stage.play(6, end=False)
    stage.play(3)
    assert states(stage) == {FireState.SUCCEEDED: 2, FireState.SKIPPED: 3}


def test_under_fire_all_everything_is_caught_up_in_order(stage):
    stage.configure(misfire=Misfire.FIRE_ALL)
    stage.node("a")
    stage.play(2.5, end=False)
    stage.play(6, end=False)
    stage.play(3)
    assert states(stage) == {FireState.SUCCEEDED: 5}


def test_what_was_missed_while_nobody_was_up_is_one_row(stage):
    stage.configure()
    stage.seconds = 101.0
    stage.node("a")
    stage.play(0.5)
    missed, ran = stage.probe.fires("job")
    assert (missed.state, missed.missed_count, missed.coalesced_into) == (FireState.COALESCED, 49, ran.fire)
    assert ran.state is FireState.SUCCEEDED


def test_an_edit_reaches_instances_within_a_second_and_a_half_and_fires_nothing_for_the_past(stage):
    stage.configure(trigger=ManualTrigger())
    stage.node("a")
    stage.play(5)
    stage.configure(trigger=IntervalTrigger(seconds=1, anchor=START))
    stage.play(1.5)
    assert [fire.state for fire in stage.probe.fires("job")] == [FireState.SUCCEEDED]


def test_a_manual_fire_is_found_within_a_second(stage):
    stage.configure(trigger=ManualTrigger())
    stage.node("a")
    stage.play(3)
    stage.ledger.request("job", key=7, asked_by="ada")
    stage.play(1.1)
    assert states(stage) == {FireState.SUCCEEDED: 1}


def test_no_more_is_claimed_than_there_are_free_workers(stage):
    stage.configure(sharding_total_count=10)
    a = stage.node("a", workers=3)
    stage.play(3, end=False)
    assert len(a.workers.attempts) == 3
    stage.play(0.9)
    assert states(stage) == {FireState.SUCCEEDED: 1}


def test_what_finds_its_clock_wrong_while_it_opens_for_another_opens_nothing(stage):
    stage.configure(sharding_total_count=2)
    stage.play(0.1)  # so that no reading of the registry, which reads the cursors, falls on the moment below
    actors = {name: stage.node(name) for name in ("a", "b")}
    stage.play(6.4)
    before = len(stage.probe.fires("job"))
    first = next(name for name, actor in actors.items() if "job" in actor.membership.opens_first)
    (second,) = actors.keys() - {first}
    actors[first].frozen = True
    stage.play(1.69, step=0.01)
    assert len(stage.probe.fires("job")) == before  # nobody has waited for the first one long enough
    actors[second].clock_offset = 100.0
    stage.play(1)
    assert actors[second].membership.instance.holding is Holding.CLOCK_IS_OFF
    assert len(stage.probe.fires("job")) == before


def test_jobs_whose_handler_no_instance_knows_are_left_to_later(stage):
    stage.configure(handler="unknown")
    stage.node("a")
    stage.play(10)
    assert stage.probe.fires("job") == []


def test_an_instance_without_proof_of_life_starts_nothing(stage):
    stage.configure()
    a = stage.node("a")
    stage.play(3)
    before = len(stage.ran)
    a.session.beat = lambda: None
    a.membership.watch = lambda: False
    stage.play(10)
    assert len(stage.ran) - before <= 2


@pytest.mark.parametrize("why", ["no proof of life", "draining"])
def test_an_instance_that_may_start_nothing_sleeps_between_its_readings(stage, why):
    stage.configure()
    a = stage.node("a")
    stage.play(3)
    if why == "draining":
        a.node.drain()
    else:
        a.session.beat = lambda: None
    stage.play(5)
    ticks, watch = [], a.membership.watch
    a.membership.watch = lambda: ticks.append(stage.seconds) or watch()
    stage.play(3, step=0.01)
    assert len(ticks) < 15


@pytest.mark.parametrize("joined_at", [0.47, 0.48, 0.49, 0.5])
def test_one_that_does_not_open_starts_at_once_also_if_it_reads_the_cursors_before_it_looks(stage, joined_at):
    stage.configure(sharding_total_count=2)
    stage.node("a")
    stage.play(joined_at, step=0.01)
    b = stage.node("b")
    stage.play(4, step=0.01)
    b.workers.lateness.clear()
    stage.play(10, step=0.01)
    assert len(b.workers.lateness) == 5
    assert max(b.workers.lateness) <= 0.2
