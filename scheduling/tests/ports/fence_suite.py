"""What every fence does: what an attempt writes counts only while it holds its item."""

import pytest

from scheduling.domain.errors import NoLongerYours
from scheduling.domain.fire import Attempt
from scheduling.tests.ports.stage import Stage, succeeded


class CheckSuite:
    def test_an_attempt_that_holds_its_item_passes(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.fence.check(attempt)

    def test_one_that_was_superseded_is_refused_and_its_successor_is_not(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        current = stage.supersede(attempt)
        with pytest.raises(NoLongerYours):
            stage.fence.check(attempt)
        stage.fence.check(current)

    def test_one_that_has_finished_is_refused(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([succeeded(attempt)])
        with pytest.raises(NoLongerYours):
            stage.fence.check(attempt)


class AtomicSuite:
    def test_an_attempt_that_holds_its_item_may_write(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        with stage.fence.atomic(attempt):
            pass

    def test_an_attempt_may_write_in_several_blocks(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        for _ in range(2):
            with stage.fence.atomic(attempt):
                pass

    def test_an_attempt_that_was_superseded_does_not_begin(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.supersede(attempt)
        with pytest.raises(NoLongerYours), stage.fence.atomic(attempt):
            pytest.fail("the block has begun")

    def test_an_attempt_that_has_finished_does_not_begin(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([succeeded(attempt)])
        with pytest.raises(NoLongerYours), stage.fence.atomic(attempt):
            pytest.fail("the block has begun")

    def test_an_attempt_whose_item_was_taken_does_not_begin(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.audit("a", frozenset())
        with pytest.raises(NoLongerYours), stage.fence.atomic(attempt):
            pytest.fail("the block has begun")

    def test_the_attempt_that_supersedes_it_may_write(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        with stage.fence.atomic(stage.supersede(attempt)):
            pass

    def test_an_error_in_the_block_comes_out_as_it_is(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        with pytest.raises(ZeroDivisionError), stage.fence.atomic(attempt):
            raise ZeroDivisionError


class OnceSuite:
    def test_a_function_runs_once_for_an_execution(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        assert stage.fence.once(attempt, "archive", lambda: "done") == "done"
        assert stage.fence.once(attempt, "archive", lambda: pytest.fail("it runs again")) is None

    def test_a_function_that_an_earlier_attempt_has_done_does_not_run_again(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.fence.once(attempt, "archive", lambda: "done")
        assert stage.fence.once(stage.supersede(attempt), "archive", lambda: pytest.fail("it runs again")) is None

    def test_names_tell_functions_of_one_execution_apart(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        assert [stage.fence.once(attempt, name, lambda: 1) for name in ("copy", "mark", "copy")] == [1, 1, None]

    def test_the_same_name_in_another_execution_is_another_function(self, stage: Stage) -> None:
        attempts = stage.run_all(stage.configure(sharding_total_count=2), 30)
        assert [stage.fence.once(attempt, "archive", lambda: 1) for attempt in attempts] == [1, 1]

    def test_a_function_may_return_nothing(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        calls: list[str] = []
        for _ in range(2):
            stage.fence.once(attempt, "archive", lambda: calls.append("x"))
        assert calls == ["x"]

    def test_a_function_that_raised_has_not_been_done(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        with pytest.raises(ZeroDivisionError):
            stage.fence.once(attempt, "archive", lambda: 1 // 0)
        assert stage.fence.once(attempt, "archive", lambda: "done") == "done"

    @pytest.mark.parametrize("done_before", [True, False])
    def test_an_attempt_that_was_superseded_does_nothing(self, stage: Stage, done_before: bool) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        current = stage.supersede(attempt)
        if done_before:
            stage.fence.once(current, "archive", lambda: "done")
        with pytest.raises(NoLongerYours):
            stage.fence.once(attempt, "archive", lambda: pytest.fail("it runs"))

    def test_an_attempt_that_has_finished_does_nothing(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([succeeded(attempt)])
        with pytest.raises(NoLongerYours):
            stage.fence.once(attempt, "archive", lambda: pytest.fail("it runs"))


class SupersededInTheMiddleSuite:
    """For fences that let others take the item while a handler computes: not on SQLite, which has one writer."""

    def test_an_attempt_that_is_superseded_meanwhile_has_not_written(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        with pytest.raises(NoLongerYours), stage.fence.atomic(attempt):
            self.supersede_meanwhile(stage, attempt)

    def test_a_function_that_is_superseded_meanwhile_has_not_been_done(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        current: list[Attempt] = []
        with pytest.raises(NoLongerYours):
            stage.fence.once(attempt, "archive", lambda: current.append(self.supersede_meanwhile(stage, attempt)))
        assert stage.fence.once(current[0], "archive", lambda: "done") == "done"

    def supersede_meanwhile(self, stage: Stage, attempt: Attempt) -> Attempt:
        return stage.together(lambda _ledger, old: stage.supersede(old), [attempt])[0]
