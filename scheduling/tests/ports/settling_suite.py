"""What every ledger does when the executions of a fire have ended."""

import pytest

from scheduling.domain.fire import ExecutionState, FireState, Reason, Result
from scheduling.tests.ports.stage import JOB, Stage, succeeded

SUCCEEDED, FAILED = ExecutionState.SUCCEEDED, ExecutionState.FAILED


class SettlingSuite:
    @pytest.mark.parametrize(
        ("states", "settled"),
        [
            ((SUCCEEDED, SUCCEEDED), FireState.SUCCEEDED),
            ((SUCCEEDED, FAILED), FireState.PARTLY_FAILED),
            ((FAILED, FAILED), FireState.FAILED),
        ],
    )
    def test_a_fire_settles_to_what_its_executions_ended_with(
        self, stage: Stage, states: tuple[ExecutionState, ExecutionState], settled: FireState
    ) -> None:
        attempts = stage.run_all(stage.configure(sharding_total_count=2), 30)
        ended = [Result(attempt=attempt, state=state) for attempt, state in zip(attempts, states, strict=True)]
        stage.ledger.finish(ended)
        assert stage.ledger.settle({attempts[0].fire}) == 1
        assert [(row.state, row.reason) for row in stage.probe.fires(JOB)] == [(settled, None)]

    @pytest.mark.parametrize("live", [ExecutionState.PENDING, ExecutionState.WAITING, ExecutionState.RUNNING])
    def test_a_fire_with_a_live_execution_is_not_settled(self, stage: Stage, live: ExecutionState) -> None:
        stage.open(stage.configure(sharding_total_count=2), 30)
        stage.enter_instances("a")
        first, second = stage.live()
        stage.ledger.finish([succeeded(attempt) for attempt in stage.claim([first])])
        if live is ExecutionState.WAITING:
            stage.probe.retry_later(second.execution)
        if live is ExecutionState.RUNNING:
            stage.claim([second])
        assert stage.ledger.settle() == 0
        assert [row.state for row in stage.probe.executions(JOB)] == [SUCCEEDED, live]
        assert [row.state for row in stage.probe.fires(JOB)] == [FireState.OPEN]

    def test_finishing_alone_settles_nothing(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([succeeded(attempt)])
        assert [row.state for row in stage.probe.fires(JOB)] == [FireState.OPEN]

    def test_a_fire_is_settled_once(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([succeeded(attempt)])
        assert [stage.ledger.settle([attempt.fire]), stage.ledger.settle([attempt.fire]), stage.ledger.settle()] == [
            1,
            0,
            0,
        ]

    def test_only_the_fires_asked_for_are_settled(self, stage: Stage) -> None:
        attempts = [stage.run_all(stage.configure(name), 30)[0] for name in ("one", "two")]
        stage.ledger.finish([succeeded(attempt) for attempt in attempts])
        assert stage.ledger.settle([attempts[1].fire]) == 1
        states = [row.state for name in ("one", "two") for row in stage.probe.fires(name)]
        assert states == [FireState.OPEN, FireState.SUCCEEDED]

    def test_no_fires_are_not_all_fires(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([succeeded(attempt)])
        assert stage.ledger.settle([]) == 0
        assert [row.state for row in stage.probe.fires(JOB)] == [FireState.OPEN]

    def test_a_sweep_settles_what_a_dying_instance_left(self, stage: Stage) -> None:
        for name in ("one", "two"):
            stage.ledger.finish([succeeded(attempt) for attempt in stage.run_all(stage.configure(name), 30)])
        assert stage.ledger.settle() == 2
        assert [row.state for name in ("one", "two") for row in stage.probe.fires(name)] == [FireState.SUCCEEDED] * 2

    def test_a_lost_execution_makes_its_fire_fail(self, stage: Stage) -> None:
        lost, done = stage.run_all(stage.configure(sharding_total_count=2, failover=False), 30)
        stage.ledger.finish([succeeded(done)])
        stage.ledger.die("a", by="b")
        stage.ledger.take_over()
        stage.ledger.settle([lost.fire])
        assert [row.state for row in stage.probe.fires(JOB)] == [FireState.PARTLY_FAILED]

    def test_a_fire_that_ran_in_part_when_its_job_was_disabled_succeeds(self, stage: Stage) -> None:
        stage.open(stage.configure(sharding_total_count=2), 30)
        stage.enter_instances("a")
        attempts = stage.claim(stage.live()[:1])
        stage.configure(enabled=False)
        stage.ledger.finish([succeeded(attempt) for attempt in attempts])
        stage.ledger.settle()
        assert [(row.state, row.reason) for row in stage.probe.executions(JOB)] == [
            (SUCCEEDED, None),
            (ExecutionState.CANCELLED, Reason.DISABLED),
        ]
        assert [row.state for row in stage.probe.fires(JOB)] == [FireState.SUCCEEDED]
