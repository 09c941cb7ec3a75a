"""What every ledger does when instances come, die and leave executions behind."""

import pytest

from scheduling.domain.errors import InstanceDead
from scheduling.domain.fire import Attempt, ExecutionState, Reason, Verdict
from scheduling.ports.ledger import TakenBack
from scheduling.tests.ports.stage import JOB, Stage, an_instance, succeeded


class DyingSuite:
    def test_an_instance_is_alive_from_its_joining_to_its_death(self, stage: Stage) -> None:
        stage.ledger.enter(an_instance("a"))
        assert "a" not in stage.ledger.joined()
        stage.ledger.join("a")
        assert "a" in stage.ledger.joined()
        assert stage.ledger.die("a", by="b")
        assert "a" not in stage.ledger.joined()

    def test_an_instance_that_never_joined_is_not_declared_dead(self, stage: Stage) -> None:
        stage.ledger.enter(an_instance("a"))
        assert not stage.ledger.die("a", by="b")
        stage.ledger.join("a")
        assert "a" in stage.ledger.joined()

    def test_an_unknown_instance_is_not_declared_dead(self, stage: Stage) -> None:
        assert not stage.ledger.die("never-entered", by="b")

    def test_a_death_is_declared_once(self, stage: Stage) -> None:
        stage.enter_instances("a")
        assert [stage.ledger.die("a", by=by) for by in ("b", "c", "a")] == [True, False, False]

    def test_an_instance_may_declare_itself(self, stage: Stage) -> None:
        stage.enter_instances("a")
        assert stage.ledger.die("a", by="a")
        assert "a" not in stage.ledger.joined()

    def test_an_id_that_has_died_stays_dead(self, stage: Stage) -> None:
        stage.open(stage.configure(), 30)
        stage.enter_instances("a")
        stage.ledger.die("a", by="b")
        stage.enter_instances("a")
        assert "a" not in stage.ledger.joined()
        with pytest.raises(InstanceDead):
            stage.claim(stage.live(), by="a")

    def test_entering_and_joining_may_be_repeated(self, stage: Stage) -> None:
        attempts = stage.run_all(stage.configure(), 30)
        stage.enter_instances("a")
        assert "a" in stage.ledger.joined()
        assert stage.ledger.finish([succeeded(attempts[0])]) == {attempts[0].execution: Verdict.WRITTEN}


class TakingOverSuite:
    def test_what_a_dead_instance_ran_is_pending_again(self, stage: Stage) -> None:
        attempts = stage.run_all(stage.configure(sharding_total_count=2), 30)
        stage.ledger.die("a", by="b")
        assert set(stage.ledger.take_over()) == {taken(attempt) for attempt in attempts}
        rows = [(row.state, row.instance, row.attempt) for row in stage.probe.executions(JOB)]
        assert rows == [(ExecutionState.PENDING, None, 1)] * 2
        assert stage.ledger.look([JOB]).held == frozenset()

    def test_what_a_live_instance_runs_is_left_alone(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.enter_instances("b")
        stage.ledger.die("b", by="c")
        assert stage.ledger.take_over() == ()
        assert stage.ledger.finish([succeeded(attempt)]) == {attempt.execution: Verdict.WRITTEN}

    def test_what_an_instance_without_a_row_ran_is_taken_too(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.probe.forget("a")
        assert stage.ledger.take_over() == (taken(attempt),)
        assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.PENDING]

    def test_it_is_taken_once(self, stage: Stage) -> None:
        stage.run_all(stage.configure(), 30)
        stage.ledger.die("a", by="b")
        assert [len(stage.ledger.take_over()), len(stage.ledger.take_over())] == [1, 0]

    def test_a_newer_attempt_is_not_taken(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        newer = stage.supersede(attempt)
        assert stage.ledger.take_over() == ()
        assert stage.ledger.finish([succeeded(newer)]) == {newer.execution: Verdict.WRITTEN}

    def test_what_had_ended_before_is_not_taken(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([succeeded(attempt)])
        stage.ledger.die("a", by="b")
        assert stage.ledger.take_over() == ()
        assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.SUCCEEDED]

    def test_an_item_of_a_dead_instance_can_be_claimed(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        again = stage.supersede(attempt, by="b")
        (row,) = stage.probe.executions(JOB)
        assert (row.state, row.instance, row.token) == (ExecutionState.RUNNING, "b", again.token)

    def test_without_failover_the_execution_is_lost(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(failover=False), 30)
        assert_lost(stage, attempt)

    @pytest.mark.parametrize("reason", [Reason.DISABLED, Reason.RETIRED])
    def test_a_job_that_is_out_of_service_runs_nothing_again(self, stage: Stage, reason: Reason) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        if reason is Reason.RETIRED:
            stage.ledger.retire(JOB)
        else:
            stage.configure(enabled=False)
        assert_lost(stage, attempt)

    def test_a_lost_execution_frees_its_item_for_the_next_fire(self, stage: Stage) -> None:
        job = stage.configure(failover=False)
        (attempt,) = stage.run_all(job, 60)
        assert_lost(stage, attempt)
        (next_fire,) = stage.run_all(job, 30, by="b")
        assert next_fire.token == attempt.token + 1


class AuditSuite:
    def test_what_an_instance_holds_but_does_not_run_is_put_back(self, stage: Stage) -> None:
        runs, lost_answer = stage.run_all(stage.configure(sharding_total_count=2), 30)
        assert stage.ledger.audit("a", frozenset({runs.execution})) == (taken(lost_answer),)
        assert stage.ledger.look([JOB]).held == {(JOB, runs.item)}
        states = [row.state for row in stage.probe.executions(JOB)]
        assert states == [ExecutionState.RUNNING, ExecutionState.PENDING]

    def test_what_was_put_back_can_be_claimed_again(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.audit("a", frozenset())
        (again,) = stage.claim(stage.live(), by="a")
        assert (again.token, again.number) == (attempt.token + 1, 2)

    def test_what_other_instances_hold_is_left_alone(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.enter_instances("b")
        assert stage.ledger.audit("b", frozenset()) == ()
        assert stage.ledger.finish([succeeded(attempt)]) == {attempt.execution: Verdict.WRITTEN}

    def test_what_is_put_back_runs_although_failover_is_off(self, stage: Stage) -> None:
        stage.run_all(stage.configure(failover=False), 30)
        assert [taken.lost for taken in stage.ledger.audit("a", frozenset())] == [False]
        assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.PENDING]


def taken(attempt: Attempt, *, lost: bool = False) -> TakenBack:
    return TakenBack(execution=attempt.execution, job=attempt.job, item=attempt.item, instance="a", lost=lost)


def assert_lost(stage: Stage, attempt: Attempt) -> None:
    stage.ledger.die("a", by="b")
    assert stage.ledger.take_over() == (taken(attempt, lost=True),)
    (row,) = stage.probe.executions(JOB)
    assert (row.state, row.reason, row.instance) == (ExecutionState.LOST, Reason.INSTANCE_DIED, "a")
