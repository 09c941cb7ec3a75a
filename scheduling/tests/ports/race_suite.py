"""What every ledger does when several instances come at one instant."""

from scheduling.domain.fire import Attempt, ExecutionState, FireState, Verdict
from scheduling.ports.ledger import Ledger
from scheduling.tests.ports.stage import JOB, Stage, succeeded

INSTANCES = ("a", "b", "c", "d", "e", "f")


class RaceSuite:
    def test_of_many_that_open_a_fire_exactly_one_wins(self, stage: Stage) -> None:
        opening = stage.opening(stage.configure(sharding_total_count=3), 30)
        won = stage.together(lambda ledger, by: ledger.open([opening], by=by), INSTANCES)
        assert sorted(map(len, won)) == [0] * 5 + [1]
        assert len(stage.probe.fires(JOB)) == 1
        assert [row.item for row in stage.probe.executions(JOB)] == [0, 1, 2]

    def test_of_many_that_claim_the_same_executions_exactly_one_wins(self, stage: Stage) -> None:
        stage.open(stage.configure(sharding_total_count=3), 30)
        stage.enter_instances(*INSTANCES)
        live = stage.live()
        claimed = stage.together(lambda ledger, by: ledger.claim(live, by=by, claim=f"claim-{by}"), INSTANCES)
        assert sorted(map(len, claimed)) == [0] * 5 + [3]
        assert stage.probe.tokens(JOB) == {0: 1, 1: 1, 2: 1}
        assert len({row.instance for row in stage.probe.executions(JOB)}) == 1

    def test_of_many_that_take_over_each_takes_what_no_other_takes(self, stage: Stage) -> None:
        attempts = stage.run_all(stage.configure(sharding_total_count=20), 30)
        stage.ledger.die("a", by="b")
        taken = stage.together(lambda ledger, _by: ledger.take_over(), INSTANCES)
        taken.append(stage.ledger.take_over())
        executions = [one.execution for some in taken for one in some]
        assert sorted(executions) == sorted(attempt.execution for attempt in attempts)

    def test_the_two_last_executions_of_a_fire_leave_it_settled_by_their_own_settling(self, stage: Stage) -> None:
        attempts = stage.run_all(stage.configure(sharding_total_count=2), 30)
        stage.together(finish_and_settle, attempts)
        assert [row.state for row in stage.probe.fires(JOB)] == [FireState.SUCCEEDED]

    def test_a_fire_is_settled_by_exactly_one(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        stage.ledger.finish([succeeded(attempt)])
        assert sum(stage.together(lambda ledger, _by: ledger.settle([attempt.fire]), INSTANCES)) == 1

    def test_a_double_click_is_one_fire(self, stage: Stage) -> None:
        stage.configure()
        fires = stage.together(lambda ledger, key: ledger.request(JOB, key=key, asked_by="admin"), [7] * 4)
        assert len(set(fires)) == 1
        assert len(stage.live()) == 1

    def test_each_execution_is_either_finished_or_taken_over(self, stage: Stage) -> None:
        attempts = stage.run_all(stage.configure(sharding_total_count=6), 30)
        stage.ledger.die("a", by="b")
        written: set[int] = set()
        taken: set[int] = set()

        def finish_all(ledger: Ledger) -> None:
            for attempt in attempts:
                if ledger.finish([succeeded(attempt)])[attempt.execution] is Verdict.WRITTEN:
                    written.add(attempt.execution)

        def take_over(ledger: Ledger) -> None:
            taken.update(one.execution for one in ledger.take_over())

        stage.together(lambda ledger, act: act(ledger), [finish_all, take_over])
        take_over(stage.ledger)
        ended = dict.fromkeys(written, ExecutionState.SUCCEEDED)
        pending = dict.fromkeys(taken, ExecutionState.PENDING)
        assert {row.execution: row.state for row in stage.probe.executions(JOB)} == ended | pending
        assert len(ended) + len(pending) == len(attempts)


def finish_and_settle(ledger: Ledger, attempt: Attempt) -> None:
    ledger.finish([succeeded(attempt)])
    ledger.settle([attempt.fire])
