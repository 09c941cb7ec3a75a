"""What every ledger does when executions are looked at and claimed."""

import pytest

from scheduling.domain.errors import InstanceDead
from scheduling.domain.fire import ExecutionState
from scheduling.domain.job import Misfire
from scheduling.tests.ports.stage import JOB, Stage, succeeded


class ClaimingSuite:
    def test_a_claimed_execution_runs_under_a_token_of_its_item(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(item_parameters={0: "all"}), 30)
        (row,) = stage.probe.executions(JOB)
        assert (row.state, row.attempt, row.token, row.instance) == (ExecutionState.RUNNING, 1, 1, "a")
        assert (attempt.execution, attempt.fire, attempt.job, attempt.item) == (row.execution, row.fire, JOB, 0)
        assert (attempt.token, attempt.number, attempt.fire_time, attempt.run) == (1, 1, stage.at(30), 0)
        assert (attempt.total, attempt.parameters) == (1, {0: "all"})

    def test_the_token_grows_with_every_fire(self, stage: Stage) -> None:
        job = stage.configure()
        tokens = []
        for ago in (90, 60, 30):
            (attempt,) = stage.run_all(job, ago)
            stage.ledger.finish([succeeded(attempt)])
            tokens.append(attempt.token)
        assert tokens == [1, 2, 3]
        assert stage.probe.tokens(JOB)[0] == 3

    def test_the_token_grows_with_every_attempt(self, stage: Stage) -> None:
        (first,) = stage.run_all(stage.configure(), 30)
        second = stage.supersede(first)
        assert (second.execution, second.token, second.number) == (first.execution, 2, 2)

    def test_items_of_a_job_have_tokens_of_their_own(self, stage: Stage) -> None:
        job = stage.configure(sharding_total_count=2)
        stage.open(job, 60)
        stage.enter_instances("a")
        stage.ledger.finish([succeeded(attempt) for attempt in stage.claim(stage.live()[:1])])
        stage.open(job, 30)
        both = stage.live()[-2:]
        assert [attempt.token for attempt in stage.claim(both)] == [2, 1]

    def test_a_held_item_cannot_be_claimed(self, stage: Stage) -> None:
        (holder,) = open_behind_a_running_one(stage)
        later = stage.live()[1:]
        assert stage.claim(later, by="b") == []
        assert stage.probe.tokens(JOB)[0] == holder.token
        assert [(row.state, row.instance) for row in stage.probe.executions(JOB)] == [
            (ExecutionState.RUNNING, "a"),
            (ExecutionState.PENDING, None),
        ]

    def test_a_freed_item_can_be_claimed(self, stage: Stage) -> None:
        (holder,) = open_behind_a_running_one(stage)
        stage.ledger.finish([succeeded(holder)])
        (attempt,) = stage.claim(stage.live(), by="b")
        assert attempt.token == holder.token + 1

    def test_one_held_item_keeps_all_from_being_claimed(self, stage: Stage) -> None:
        open_behind_a_running_one(stage)
        stage.open(stage.configure("another"), 30)
        assert stage.claim([*stage.live("another"), *stage.live()[1:]], by="b") == []
        assert_untouched(stage, "another")

    def test_one_cancelled_execution_keeps_all_from_being_claimed(self, stage: Stage) -> None:
        stage.open(stage.configure(), 30)
        cancelled = stage.live()
        stage.configure(enabled=False)
        stage.open(stage.configure("another"), 30)
        stage.enter_instances("a")
        assert stage.claim([*stage.live("another"), *cancelled]) == []
        assert_untouched(stage, "another")
        assert stage.ledger.look([JOB]).held == frozenset()
        assert stage.probe.tokens(JOB)[0] == 0

    def test_what_runs_cannot_be_claimed(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        assert stage.claim(stage.live(), by="a") == []
        assert stage.probe.executions(JOB)[0].token == attempt.token

    def test_what_has_ended_cannot_be_claimed(self, stage: Stage) -> None:
        stage.open(stage.configure(), 30)
        seen = stage.live()
        stage.enter_instances("a")
        (attempt,) = stage.claim(seen)
        stage.ledger.finish([succeeded(attempt)])
        stage.ledger.settle()
        assert stage.claim(seen) == []
        (row,) = stage.probe.executions(JOB)
        assert (row.state, row.attempt) == (ExecutionState.SUCCEEDED, 1)
        assert stage.ledger.look([JOB]).held == frozenset()

    def test_two_executions_of_one_item_cannot_be_claimed_together(self, stage: Stage) -> None:
        stage.open(stage.configure(misfire=Misfire.FIRE_ALL), 60, 30)
        stage.enter_instances("a")
        assert stage.claim(stage.live()) == []
        assert_untouched(stage, JOB)

    def test_what_waits_for_its_next_attempt_can_be_claimed(self, stage: Stage) -> None:
        stage.open(stage.configure(), 30)
        stage.probe.retry_later(stage.live()[0].execution)
        stage.enter_instances("a")
        assert [e.state for e in stage.live()] == [ExecutionState.WAITING]
        assert len(stage.claim(stage.live())) == 1

    def test_a_dead_instance_claims_nothing(self, stage: Stage) -> None:
        stage.open(stage.configure(), 30)
        stage.enter_instances("a")
        stage.ledger.die("a", by="b")
        with pytest.raises(InstanceDead):
            stage.claim(stage.live(), by="a")
        assert_untouched(stage, JOB)

    def test_an_instance_without_a_row_claims_nothing(self, stage: Stage) -> None:
        stage.open(stage.configure(), 30)
        with pytest.raises(InstanceDead):
            stage.claim(stage.live(), by="never-entered")
        assert_untouched(stage, JOB)

    def test_many_executions_are_claimed_at_once(self, stage: Stage) -> None:
        attempts = stage.run_all(stage.configure(sharding_total_count=200), 30)
        assert [(attempt.item, attempt.token) for attempt in attempts] == [(item, 1) for item in range(200)]

    def test_no_executions_are_no_attempts(self, stage: Stage) -> None:
        stage.enter_instances("a")
        assert stage.claim([]) == []

    def test_a_claim_whose_answer_was_lost_can_be_read(self, stage: Stage) -> None:
        stage.open(stage.configure(sharding_total_count=2), 30)
        stage.enter_instances("a")
        attempts = stage.ledger.claim(stage.live(), by="a", claim="mine")
        assert set(stage.ledger.claimed("mine")) == set(attempts)
        assert len(attempts) == 2

    def test_a_claim_that_never_was_has_won_nothing(self, stage: Stage) -> None:
        stage.run_all(stage.configure(), 30)
        assert stage.ledger.claimed("never-made") == ()

    def test_what_a_claim_has_finished_it_does_not_hold(self, stage: Stage) -> None:
        stage.open(stage.configure(sharding_total_count=2), 30)
        stage.enter_instances("a")
        first, second = stage.ledger.claim(stage.live(), by="a", claim="mine")
        stage.ledger.finish([succeeded(first)])
        assert stage.ledger.claimed("mine") == (second,)

    def test_what_was_taken_from_a_claim_it_does_not_hold(self, stage: Stage) -> None:
        stage.open(stage.configure(), 30)
        stage.enter_instances("a")
        (attempt,) = stage.ledger.claim(stage.live(), by="a", claim="mine")
        stage.ledger.audit("a", frozenset())
        assert stage.ledger.claimed("mine") == ()
        stage.supersede(attempt)
        assert stage.ledger.claimed("mine") == ()

    def test_a_look_shows_live_executions_and_held_items_of_the_jobs_asked_for(self, stage: Stage) -> None:
        (ended, running) = stage.run_all(stage.configure(sharding_total_count=2), 30)
        stage.ledger.finish([succeeded(ended)])
        stage.run_all(stage.configure("another"), 30)
        look = stage.ledger.look([JOB])
        assert [(e.execution, e.job, e.item) for e in look.executions] == [(running.execution, JOB, running.item)]
        assert look.held == {(JOB, running.item)}

    def test_a_look_at_no_job_shows_nothing(self, stage: Stage) -> None:
        stage.run_all(stage.configure(), 30)
        look = stage.ledger.look([])
        assert (look.executions, look.held) == ((), frozenset())


def open_behind_a_running_one(stage: Stage):
    """Let item 0 run for "a", and a later fire of it be pending; return the attempt that runs."""
    job = stage.configure()
    attempts = stage.run_all(job, 60)
    stage.open(job, 30)
    stage.enter_instances("b")
    return attempts


def assert_untouched(stage: Stage, job: str) -> None:
    assert {(row.state, row.attempt, row.token) for row in stage.probe.executions(job)} == {
        (ExecutionState.PENDING, 0, None)
    }
    assert stage.ledger.look([job]).held == frozenset()
    assert stage.probe.tokens(job)[0] == 0
