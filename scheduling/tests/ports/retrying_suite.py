"""What every ledger does with failed attempts that others are to follow."""

from datetime import timedelta

from scheduling.domain.fire import Attempt, ExecutionState, FireState, Reason, Result, Verdict
from scheduling.domain.retry import TAKE_OVERS_MOST
from scheduling.tests.ports.stage import JOB, Stage


class RetryingSuite:
    def test_a_failed_attempt_that_is_to_be_followed_waits_owned_by_nobody(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        assert stage.ledger.finish([failed(attempt, 60)]) == {attempt.execution: Verdict.WRITTEN}
        (row,) = stage.probe.executions(JOB)
        assert (row.state, row.reason, row.message) == (ExecutionState.WAITING, Reason.RAISED, "no")
        assert stage.ledger.look([JOB]).held == frozenset()
        (waiting,) = stage.live()
        assert waiting.failed_on == "a"
        before = timedelta(seconds=59)
        assert before < waiting.due_at - stage.now < timedelta(seconds=90)
        assert stage.ledger.settle() == 0

    def test_it_cannot_be_claimed_before_it_is_due_whatever_the_claimer_thinks(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([failed(attempt, 60)])
        assert stage.claim(stage.live()) == []
        assert stage.probe.tokens(JOB) == {0: attempt.token}
        assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.WAITING]

    def test_once_due_it_is_claimed_under_a_larger_token_and_its_failures_are_counted(self, stage: Stage) -> None:
        (first,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([failed(first, 0)])
        (second,) = stage.claim(stage.live())
        assert (second.execution, second.number, second.failures) == (first.execution, 2, 1)
        assert second.token == first.token + 1
        stage.ledger.finish([failed(second, 0)])
        (third,) = stage.claim(stage.live())
        assert (third.number, third.failures) == (3, 2)

    def test_a_take_over_is_no_failure(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        again = stage.supersede(attempt)
        assert (again.number, again.failures) == (2, 0)

    def test_without_another_attempt_it_has_failed_and_its_fire_settles(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([failed(attempt, 0)])
        (last,) = stage.claim(stage.live())
        stage.ledger.finish([failed(last, None)])
        assert stage.live() == []
        assert stage.ledger.settle() == 1
        assert [fire.state for fire in stage.probe.fires(JOB)] == [FireState.FAILED]

    def test_a_repeated_result_waits_no_longer(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([failed(attempt, 60)])
        due = stage.live()[0].due_at
        assert stage.ledger.finish([failed(attempt, 60)]) == {attempt.execution: Verdict.ALREADY_WRITTEN}
        assert stage.live()[0].due_at == due

    def test_a_job_that_was_disabled_meanwhile_is_not_attempted_again(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.configure(enabled=False, rewind=0)
        stage.ledger.finish([failed(attempt, 0)])
        assert [(r.state, r.reason) for r in stage.probe.executions(JOB)] == [(ExecutionState.FAILED, Reason.RAISED)]

    def test_disabling_cancels_what_waits(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([failed(attempt, 0)])
        stage.configure(enabled=False, rewind=0)
        (row,) = stage.probe.executions(JOB)
        assert (row.state, row.reason) == (ExecutionState.CANCELLED, Reason.DISABLED)

    def test_what_waits_survives_the_death_of_the_instance_it_failed_on(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(failover=False), 30)
        stage.ledger.finish([failed(attempt, 0)])
        stage.enter_instances("b")
        stage.ledger.die("a", by="b")
        assert stage.ledger.take_over() == ()
        assert len(stage.claim(stage.live(), by="b")) == 1

    def test_an_execution_that_ends_one_instance_after_another_is_lost(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        for n in range(TAKE_OVERS_MOST):
            by = f"taker-{n}"
            stage.ledger.die(holder(stage), by="z")
            assert [taken.lost for taken in stage.ledger.take_over()] == [False]
            stage.enter_instances(by)
            if n:
                assert stage.claim(stage.live(), by=by) == []  # it waits, longer each time
            stage.probe.hurry(attempt.execution)
            (attempt,) = stage.claim(stage.live(), by=by)
        stage.ledger.die(holder(stage), by="z")
        assert [taken.lost for taken in stage.ledger.take_over()] == [True]
        (row,) = stage.probe.executions(JOB)
        assert (row.state, row.attempt) == (ExecutionState.LOST, TAKE_OVERS_MOST + 1)
        assert row.token == attempt.token

    def test_one_that_instances_leave_behind_as_they_end_in_order_is_never_given_up(self, stage: Stage) -> None:
        stage.run_all(stage.configure(), 30)
        for n in range(TAKE_OVERS_MOST + 2):
            by = f"taker-{n}"
            stage.ledger.die(holder(stage), by=holder(stage))
            assert [taken.lost for taken in stage.ledger.take_over()] == [False]
            stage.enter_instances(by)
            stage.claim(stage.live(), by=by)

    def test_an_attempt_begins_with_neither_progress_nor_message_of_the_one_before(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.progress({attempt: (9, 10)})
        stage.ledger.finish([failed(attempt, 0)])
        (again,) = stage.claim(stage.live())
        (row,) = stage.probe.executions(JOB)
        assert (row.state, row.reason, row.message, row.progress) == (ExecutionState.RUNNING, None, "", None)
        assert again.number == 2

    def test_a_delay_counts_from_what_the_clock_may_be_at_the_latest(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([failed(attempt, 60)], not_after=stage.at(61))
        assert len(stage.claim(stage.live())) == 1

    def test_what_waits_after_several_deaths_waits_from_what_the_clock_may_be_at_the_latest(self, stage: Stage) -> None:
        stage.run_all(stage.configure(), 30)
        stage.ledger.die("a", by="z")
        stage.ledger.take_over()
        stage.enter_instances("b", "c")
        stage.claim(stage.live(), by="b")
        stage.ledger.die("b", by="z")
        stage.ledger.take_over(not_after=stage.at(60))
        assert len(stage.claim(stage.live(), by="c")) == 1


def holder(stage: Stage) -> str:
    return stage.probe.executions(JOB)[0].instance or ""


def failed(attempt: Attempt, retry_in: float | None) -> Result:
    return Result(
        attempt=attempt,
        state=ExecutionState.FAILED,
        reason=Reason.RAISED,
        message="no",
        retry_in=None if retry_in is None else timedelta(seconds=retry_in),
    )
