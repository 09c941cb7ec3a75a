"""What every ledger does with attempts whose time is over while their handlers still run."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scheduling.domain.errors import NoLongerYours
from scheduling.domain.fire import Attempt, ExecutionState, FireState, Reason, Result, Verdict
from scheduling.domain.job import Job
from scheduling.ports.ledger import Ledger
from scheduling.tests.ports.stage import JOB, Stage, succeeded

HELD = frozenset({(JOB, 0)})


class CuttingOffSuite:
    def test_what_is_cut_off_has_failed_under_a_larger_token_while_its_item_stays_held(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        assert stage.ledger.cut_off([timed_out(attempt)]) == {attempt.execution: attempt.token + 1}
        (row,) = stage.probe.executions(JOB)
        assert (row.state, row.reason, row.message) == (ExecutionState.FAILED, Reason.TIMED_OUT, "too long")
        assert stage.probe.tokens(JOB) == {0: attempt.token + 1}
        assert stage.ledger.look([JOB]).held == HELD
        assert stage.ledger.settle() == 1
        assert [fire.state for fire in stage.probe.fires(JOB)] == [FireState.FAILED]

    def test_one_that_is_to_be_followed_waits_and_its_item_stays_held(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.cut_off([timed_out(attempt, 60)])
        (waiting,) = stage.live()
        assert (waiting.state, waiting.failed_on) == (ExecutionState.WAITING, "a")
        assert timedelta(seconds=59) < waiting.due_at - stage.now < timedelta(seconds=90)
        assert stage.ledger.look([JOB]).held == HELD

    def test_nothing_runs_on_the_item_before_it_is_released(self, stage: Stage) -> None:
        job = stage.configure()
        (attempt,) = stage.run_all(job, 60)
        tokens = stage.ledger.cut_off([timed_out(attempt, 0)])
        stage.open(job, 30)
        stage.enter_instances("b")
        for execution in stage.live():
            assert stage.claim([execution], by="b") == []
        stage.ledger.release({attempt: tokens[attempt.execution]})
        assert stage.ledger.look([JOB]).held == frozenset()
        (next_one,) = stage.claim(stage.live()[-1:], by="b")
        assert next_one.token == attempt.token + 2

    def test_its_handler_writes_nothing_any_more(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.cut_off([timed_out(attempt, 0)])
        for act in (
            lambda: stage.fence.check(attempt),
            lambda: stage.fence.once(attempt, "archive", lambda: pytest.fail("it runs")),
        ):
            with pytest.raises(NoLongerYours):
                act()
        with pytest.raises(NoLongerYours), stage.fence.atomic(attempt):
            pytest.fail("the block has begun")

    @pytest.mark.parametrize("retry_in", [None, 0])
    def test_what_it_returns_afterwards_is_no_longer_its_own(self, stage: Stage, retry_in: int | None) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.cut_off([timed_out(attempt, retry_in)])
        before = stage.probe.executions(JOB)
        assert stage.ledger.finish([succeeded(attempt)]) == {attempt.execution: Verdict.NO_LONGER_YOURS}
        stage.ledger.progress({attempt: (9, 10)})
        assert stage.probe.executions(JOB) == before
        assert stage.ledger.look([JOB]).held == HELD

    def test_an_answer_that_was_lost_is_given_again(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        first = stage.ledger.cut_off([timed_out(attempt, 60)])
        before = stage.probe.executions(JOB), stage.live()
        assert stage.ledger.cut_off([timed_out(attempt, 60)]) == first
        assert (stage.probe.executions(JOB), stage.live()) == before
        for _ in range(2):
            stage.ledger.release({attempt: first[attempt.execution]})
        assert stage.ledger.cut_off([timed_out(attempt, 60)]) == {}

    def test_each_of_a_batch_counts_by_its_own_token(self, stage: Stage) -> None:
        first, second, third = stage.run_all(stage.configure(sharding_total_count=3), 30)
        stage.ledger.finish([succeeded(second)])
        tokens = stage.ledger.cut_off([timed_out(each) for each in (third, second, first)])
        assert tokens == {first.execution: 2, third.execution: 2}
        assert [row.state for row in stage.probe.executions(JOB)] == [
            ExecutionState.FAILED,
            ExecutionState.SUCCEEDED,
            ExecutionState.FAILED,
        ]

    def test_one_that_was_superseded_is_not_cut_off(self, stage: Stage) -> None:
        (old,) = stage.run_all(stage.configure(), 30)
        current = stage.supersede(old)
        assert stage.ledger.cut_off([timed_out(old)]) == {}
        assert stage.ledger.finish([succeeded(current)]) == {current.execution: Verdict.WRITTEN}

    def test_a_release_frees_nothing_that_another_holds(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        tokens = stage.ledger.cut_off([timed_out(attempt, 0)])
        stage.ledger.release({attempt: tokens[attempt.execution]})
        (current,) = stage.claim(stage.live())
        stage.ledger.release({attempt: tokens[attempt.execution]})
        stage.fence.check(current)

    def test_the_audit_frees_what_its_instance_runs_no_more(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.cut_off([timed_out(attempt)])
        assert stage.ledger.audit("a", {attempt.execution}) == ()
        assert stage.ledger.look([JOB]).held == HELD
        assert stage.ledger.audit("a", frozenset()) == ()
        assert stage.ledger.look([JOB]).held == frozenset()
        assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.FAILED]

    @pytest.mark.parametrize("retry_in", [None, 0])
    def test_a_take_over_frees_the_item_and_runs_nothing_again_that_has_ended(
        self, stage: Stage, retry_in: int | None
    ) -> None:
        (attempt,) = stage.run_all(stage.configure(failover=False), 30)
        stage.ledger.cut_off([timed_out(attempt, retry_in)])
        stage.enter_instances("b")
        stage.ledger.die("a", by="b")
        assert stage.ledger.take_over() == ()
        assert stage.ledger.look([JOB]).held == frozenset()
        again = stage.claim(stage.live(), by="b")
        assert [each.failures for each in again] == ([] if retry_in is None else [1])

    def test_of_a_disabled_job_it_fails_instead_of_waiting(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.configure(enabled=False, rewind=0)
        assert stage.ledger.cut_off([timed_out(attempt, 0)]) == {attempt.execution: attempt.token + 1}
        assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.FAILED]

    def test_a_disabling_at_the_same_instant_leaves_nothing_waiting(self, stage: Stage) -> None:
        attempts = stage.run_all(stage.configure(sharding_total_count=4), 30)
        job = stage.configured()

        def cut_off(ledger: Ledger) -> None:
            ledger.cut_off([timed_out(attempt, 0) for attempt in attempts])

        def disable(ledger: Ledger) -> None:
            ledger.configure(disabled(job))

        stage.together(lambda ledger, act: act(ledger), [cut_off, disable])
        states = {row.state for row in stage.probe.executions(JOB)}
        assert states <= {ExecutionState.FAILED, ExecutionState.CANCELLED}

    def test_each_is_either_cut_off_or_taken_over(self, stage: Stage) -> None:
        attempts = stage.run_all(stage.configure(sharding_total_count=6), 30)
        stage.ledger.die("a", by="b")
        cut: set[int] = set()
        taken: set[int] = set()

        def cut_off(ledger: Ledger) -> None:
            for attempt in attempts:
                cut.update(ledger.cut_off([timed_out(attempt)]))

        def take_over(ledger: Ledger) -> None:
            taken.update(one.execution for one in ledger.take_over())

        stage.together(lambda ledger, act: act(ledger), [cut_off, take_over])
        take_over(stage.ledger)
        states = {row.execution: row.state for row in stage.probe.executions(JOB)}
        assert {id for id, state in states.items() if state is ExecutionState.PENDING} == taken
        assert cut <= {id for id, state in states.items() if state is ExecutionState.FAILED}
        assert len(taken) + sum(state is ExecutionState.FAILED for state in states.values()) == len(attempts)
        assert stage.ledger.look([JOB]).held == frozenset()


def timed_out(attempt: Attempt, retry_in: float | None = None) -> Result:
    return Result(
        attempt=attempt,
        state=ExecutionState.FAILED,
        reason=Reason.TIMED_OUT,
        message="too long",
        retry_in=None if retry_in is None else timedelta(seconds=retry_in),
    )


def disabled(job: Job) -> Job:
    return replace(job, enabled=False)
