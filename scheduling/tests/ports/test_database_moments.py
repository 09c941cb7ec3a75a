"""What comes of it when somebody else acts between two statements of a transaction; not on SQLite, where nobody can."""

from collections.abc import Callable
from threading import Barrier
from typing import Any

import pytest

from scheduling.database import finishing
from scheduling.database.ledger import DatabaseLedger
from scheduling.domain.fire import Attempt, ExecutionState, FireState, Reason, Verdict
from scheduling.domain.job import Misfire
from scheduling.ports.ledger import TakenBack
from scheduling.tests.ports.database_stage import at_the_lock_of_an_item, database_stage
from scheduling.tests.ports.stage import JOB, SECONDS, Stage, succeeded

pytestmark = [pytest.mark.usefixtures("several_writers"), pytest.mark.mariadb]


@pytest.fixture
def stage() -> Stage:
    return database_stage()


@pytest.fixture
def attempt(stage: Stage) -> Attempt:
    """Return an attempt whose instance is dead, and not taken over."""
    (attempt,) = stage.run_all(stage.configure(), 30)
    stage.ledger.die("a", by="b")
    return attempt


class TestTakingOver:
    """A take-over leaves alone what others have locked, for the next one."""

    def test_an_item_stays_from_the_check_of_its_fence_to_the_commit(self, stage: Stage, attempt: Attempt) -> None:
        taken: list[TakenBack] = []
        with at_the_lock_of_an_item(after=take_over_into(taken)), stage.fence.atomic(attempt):
            pass
        assert taken == []
        assert len(stage.ledger.take_over()) == 1

    def test_an_item_stays_while_its_result_is_written(self, stage: Stage, attempt: Attempt) -> None:
        taken: list[TakenBack] = []
        with at_the_lock_of_an_item(after=take_over_into(taken)):
            assert stage.ledger.finish([succeeded(attempt)]) == {attempt.execution: Verdict.WRITTEN}
        assert taken == []
        assert stage.ledger.take_over() == ()

    def test_an_item_that_others_took_over_and_claimed_meanwhile_is_theirs(
        self, stage: Stage, attempt: Attempt
    ) -> None:
        claimed: list[Attempt] = []
        stage.enter_instances("c")

        def take_over_and_claim() -> None:
            ledger = DatabaseLedger()
            assert len(ledger.take_over()) == 1
            claimed.extend(ledger.claim(ledger.look([JOB]).executions, by="c", claim="meanwhile"))

        with at_the_lock_of_an_item(before=take_over_and_claim):
            assert stage.ledger.take_over() == ()
        assert stage.ledger.finish([succeeded(claimed[0])]) == {attempt.execution: Verdict.WRITTEN}

    def test_a_result_that_comes_after_a_take_over_is_refused(self, stage: Stage, attempt: Attempt) -> None:
        with at_the_lock_of_an_item(before=take_over_into([])):
            assert stage.ledger.finish([succeeded(attempt)]) == {attempt.execution: Verdict.NO_LONGER_YOURS}
        assert ends(stage) == [(ExecutionState.PENDING, None)]


class TestClaimingMeanwhile:
    """What is claimed before its item is locked runs, whatever was about to be done with it."""

    @pytest.mark.parametrize("misfire", [Misfire.SKIP, Misfire.FIRE_ONCE])
    def test_what_is_claimed_while_the_next_fire_is_opened_is_not_late(self, stage: Stage, misfire: Misfire) -> None:
        job = stage.configure(misfire=misfire)
        stage.open(job, 60)
        with at_the_lock_of_an_item(before=claim_all(stage)):
            stage.open(job, 30)
        assert ends(stage) == [(ExecutionState.RUNNING, None), (ExecutionState.PENDING, None)]
        assert [(row.state, row.coalesced_into) for row in stage.probe.fires(JOB)] == [(FireState.OPEN, None)] * 2

    def test_what_is_claimed_while_its_job_is_disabled_runs(self, stage: Stage) -> None:
        stage.open(stage.configure(sharding_total_count=2), 60)
        with at_the_lock_of_an_item(before=claim_all(stage, count=1)):
            stage.configure(enabled=False)
        assert ends(stage) == [(ExecutionState.RUNNING, None), (ExecutionState.CANCELLED, Reason.DISABLED)]


def test_two_that_have_read_the_same_fire_settle_it_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (attempt,) = stage.run_all(stage.configure(), 30)
    stage.ledger.finish([succeeded(attempt)])
    monkeypatch.setattr(finishing, "lock_unsettled", together(finishing.lock_unsettled))
    assert sorted(stage.together(lambda ledger, fire: ledger.settle([fire]), [attempt.fire] * 2)) == [0, 1]


def take_over_into(taken: list[TakenBack]) -> Callable[[], None]:
    return lambda: taken.extend(DatabaseLedger().take_over())


def claim_all(stage: Stage, count: int | None = None) -> Callable[[], None]:
    """Return what claims the first `count` live executions, seen as they are now."""
    stage.enter_instances("a")
    live = stage.live()[:count]

    def claim() -> None:
        assert DatabaseLedger().claim(live, by="a", claim="meanwhile")

    return claim


def together(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with a wait before it until two have come."""
    barrier = Barrier(2, timeout=SECONDS)

    def wait_and_call(*args: Any) -> Any:
        barrier.wait()
        return function(*args)

    return wait_and_call


def ends(stage: Stage) -> list[tuple[ExecutionState, Reason | None]]:
    return [(row.state, row.reason) for row in stage.probe.executions(JOB)]
