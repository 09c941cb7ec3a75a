"""What every ledger does with results and progress."""

import pytest

from scheduling.domain.fire import Attempt, ExecutionState, Reason, Result, Verdict
from scheduling.tests.ports.stage import JOB, Stage, succeeded


class FinishingSuite:
    def test_a_result_is_written_and_frees_the_item(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        assert stage.ledger.finish([succeeded(attempt, "swept")]) == {attempt.execution: Verdict.WRITTEN}
        (row,) = stage.probe.executions(JOB)
        assert (row.state, row.reason, row.message) == (ExecutionState.SUCCEEDED, None, "swept")
        assert (row.attempt, row.token, row.instance) == (1, attempt.token, "a")
        assert stage.ledger.look([JOB]).held == frozenset()
        assert stage.live() == []

    def test_results_of_one_batch_are_each_written_as_they_are(self, stage: Stage) -> None:
        first, second, third = stage.run_all(stage.configure(sharding_total_count=3), 30)
        verdicts = stage.ledger.finish([failed(second, "ValueError: 7"), succeeded(third), succeeded(first, "swept")])
        assert verdicts == dict.fromkeys((a.execution for a in (first, second, third)), Verdict.WRITTEN)
        assert [(row.state, row.reason, row.message) for row in stage.probe.executions(JOB)] == [
            (ExecutionState.SUCCEEDED, None, "swept"),
            (ExecutionState.FAILED, Reason.RAISED, "ValueError: 7"),
            (ExecutionState.SUCCEEDED, None, ""),
        ]

    def test_many_results_are_written_at_once(self, stage: Stage) -> None:
        attempts = stage.run_all(stage.configure(sharding_total_count=200), 60)
        attempts += stage.run_all(stage.configure("another", sharding_total_count=200), 30)
        verdicts = stage.ledger.finish([succeeded(attempt, str(attempt.item)) for attempt in attempts])
        assert set(verdicts.values()) == {Verdict.WRITTEN}
        assert [row.message for row in stage.probe.executions(JOB)] == [str(item) for item in range(200)]

    def test_no_results_are_no_verdicts(self, stage: Stage) -> None:
        assert stage.ledger.finish([]) == {}

    def test_a_result_that_is_repeated_was_written_already(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([succeeded(attempt, "swept")])
        before = stage.probe.executions(JOB)
        assert stage.ledger.finish([succeeded(attempt, "swept")]) == {attempt.execution: Verdict.ALREADY_WRITTEN}
        assert stage.probe.executions(JOB) == before

    def test_a_batch_that_is_repeated_with_a_new_result_writes_that(self, stage: Stage) -> None:
        first, second = stage.run_all(stage.configure(sharding_total_count=2), 30)
        stage.ledger.finish([succeeded(first)])
        verdicts = stage.ledger.finish([succeeded(first), succeeded(second)])
        assert verdicts == {first.execution: Verdict.ALREADY_WRITTEN, second.execution: Verdict.WRITTEN}

    def test_a_result_that_is_repeated_frees_nothing_that_was_claimed_since(self, stage: Stage) -> None:
        job = stage.configure()
        (attempt,) = stage.run_all(job, 60)
        stage.ledger.finish([succeeded(attempt)])
        (next_fire,) = stage.run_all(job, 30)
        stage.ledger.finish([succeeded(attempt)])
        assert stage.ledger.look([JOB]).held == {(JOB, 0)}
        assert stage.ledger.finish([succeeded(next_fire)]) == {next_fire.execution: Verdict.WRITTEN}

    def test_the_same_result_twice_in_one_batch_is_written_once(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        verdicts = stage.ledger.finish([succeeded(attempt, "swept"), succeeded(attempt, "swept")])
        assert verdicts == {attempt.execution: Verdict.WRITTEN}
        assert [(row.state, row.message) for row in stage.probe.executions(JOB)] == [
            (ExecutionState.SUCCEEDED, "swept")
        ]

    def test_a_result_under_an_old_token_is_refused(self, stage: Stage) -> None:
        (old,) = stage.run_all(stage.configure(), 30)
        current = stage.supersede(old)
        assert stage.ledger.finish([failed(old, "late")]) == {old.execution: Verdict.NO_LONGER_YOURS}
        (row,) = stage.probe.executions(JOB)
        assert (row.state, row.token, row.message) == (ExecutionState.RUNNING, current.token, "")
        assert stage.ledger.finish([succeeded(current)]) == {current.execution: Verdict.WRITTEN}

    def test_a_result_under_an_old_token_is_refused_also_after_the_current_one(self, stage: Stage) -> None:
        (old,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([succeeded(stage.supersede(old), "swept")])
        assert stage.ledger.finish([failed(old, "late")]) == {old.execution: Verdict.NO_LONGER_YOURS}
        assert [(row.state, row.message) for row in stage.probe.executions(JOB)] == [
            (ExecutionState.SUCCEEDED, "swept")
        ]

    def test_each_result_of_a_batch_needs_its_own_token(self, stage: Stage) -> None:
        old, other = stage.run_all(stage.configure(sharding_total_count=2), 30)
        current = stage.supersede(old)
        again = stage.claim([e for e in stage.live() if e.execution == other.execution], by="b")[0]
        verdicts = stage.ledger.finish([failed(old, "late"), succeeded(again)])
        assert verdicts == {old.execution: Verdict.NO_LONGER_YOURS, again.execution: Verdict.WRITTEN}
        assert ends(stage) == [(ExecutionState.RUNNING, ""), (ExecutionState.SUCCEEDED, "")]
        assert stage.ledger.finish([succeeded(current)]) == {current.execution: Verdict.WRITTEN}

    @pytest.mark.parametrize("late_first", [True, False])
    def test_of_two_attempts_of_one_execution_in_one_batch_the_current_one_counts(
        self, stage: Stage, late_first: bool
    ) -> None:
        (old,) = stage.run_all(stage.configure(), 30)
        results = [failed(old, "late"), succeeded(stage.supersede(old), "swept")]
        stage.ledger.finish(results if late_first else results[::-1])
        assert [(row.state, row.message) for row in stage.probe.executions(JOB)] == [
            (ExecutionState.SUCCEEDED, "swept")
        ]

    def test_a_result_of_what_was_taken_back_is_refused(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.audit("a", frozenset())
        assert stage.ledger.finish([succeeded(attempt)]) == {attempt.execution: Verdict.NO_LONGER_YOURS}
        assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.PENDING]

    def test_a_result_of_what_was_lost_is_refused(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(failover=False), 30)
        stage.ledger.die("a", by="b")
        stage.ledger.take_over()
        assert stage.ledger.finish([succeeded(attempt)]) == {attempt.execution: Verdict.NO_LONGER_YOURS}
        assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.LOST]

    @pytest.mark.parametrize("message", ["已归档 🗂\r\n\t'\"\\ %s {0}", "x" * 65_536, "🗂" * 16_384, " \\x00 "])
    def test_a_message_is_kept_as_it_is(self, stage: Stage, message: str) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([succeeded(attempt, message)])
        assert stage.probe.executions(JOB)[0].message == message

    def test_progress_is_noted_while_the_attempt_holds_its_item(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.progress({attempt: (3, 10)})
        assert stage.probe.executions(JOB)[0].progress == (3, 10)

    def test_progress_under_an_old_token_is_not_noted(self, stage: Stage) -> None:
        (old,) = stage.run_all(stage.configure(), 30)
        current = stage.supersede(old)
        stage.ledger.progress({current: (1, 10)})
        stage.ledger.progress({old: (9, 10)})
        assert stage.probe.executions(JOB)[0].progress == (1, 10)

    def test_progress_of_what_was_taken_back_or_has_ended_is_not_noted(self, stage: Stage) -> None:
        first, second = stage.run_all(stage.configure(sharding_total_count=2), 30)
        stage.ledger.finish([succeeded(first)])
        stage.ledger.audit("a", frozenset())
        stage.ledger.progress({first: (9, 10), second: (9, 10)})
        assert [row.progress for row in stage.probe.executions(JOB)] == [None, None]


def failed(attempt: Attempt, message: str) -> Result:
    return Result(attempt=attempt, state=ExecutionState.FAILED, reason=Reason.RAISED, message=message)


def ends(stage: Stage) -> list[tuple[ExecutionState, str]]:
    return [(row.state, row.message) for row in stage.probe.executions(JOB)]
