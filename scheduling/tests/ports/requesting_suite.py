"""What every ledger does when a person asks for a fire."""

import pytest

from scheduling.domain.errors import JobDisabled, UnknownJob
from scheduling.domain.fire import ExecutionState, FireState
from scheduling.tests.ports.stage import JOB, Stage


class RequestingSuite:
    def test_a_request_opens_a_fire_with_pending_executions_of_every_item(self, stage: Stage) -> None:
        stage.configure(sharding_total_count=2)
        fire = stage.ledger.request(JOB, key=7, asked_by="admin")
        (row,) = stage.probe.fires(JOB)
        assert (row.fire, row.run, row.state) == (fire, 7, FireState.OPEN)
        assert stage.now <= row.fire_time <= stage.ledger.cursors().now
        assert [(e.item, e.state) for e in stage.live()] == [(0, ExecutionState.PENDING), (1, ExecutionState.PENDING)]

    def test_what_was_asked_for_is_due_at_once(self, stage: Stage) -> None:
        stage.configure()
        stage.ledger.request(JOB, key=7, asked_by="admin")
        look = stage.ledger.look([JOB])
        assert look.executions[0].due_at <= look.now

    def test_the_same_key_again_is_the_same_fire(self, stage: Stage) -> None:
        stage.configure()
        fires = {stage.ledger.request(JOB, key=7, asked_by="admin") for _ in range(2)}
        assert [row.fire for row in stage.probe.fires(JOB)] == list(fires)
        assert len(fires) == 1

    def test_two_keys_in_one_second_are_two_fires(self, stage: Stage) -> None:
        stage.configure()
        fires = {stage.ledger.request(JOB, key=key, asked_by="admin") for key in (7, 8)}
        assert {row.fire for row in stage.probe.fires(JOB)} == fires
        assert len(fires) == 2

    def test_the_same_key_of_two_jobs_is_two_fires(self, stage: Stage) -> None:
        for name in (JOB, "another"):
            stage.configure(name)
        assert len({stage.ledger.request(name, key=7, asked_by="admin") for name in (JOB, "another")}) == 2

    def test_a_request_at_exactly_a_fire_time_is_a_fire_beside_it(self, stage: Stage) -> None:
        job = stage.configure()
        stage.ledger.request(JOB, key=7, asked_by="admin")
        (asked_for,) = stage.probe.fires(JOB)
        ago = (stage.now - asked_for.fire_time).total_seconds()
        stage.open(job, ago)
        assert [(row.fire_time, row.run) for row in stage.probe.fires(JOB)] == [(stage.at(ago), run) for run in (0, 7)]

    def test_a_request_leaves_the_cursor_where_it_is(self, stage: Stage) -> None:
        stage.configure()
        before = stage.ledger.cursors().jobs[JOB]
        stage.ledger.request(JOB, key=7, asked_by="admin")
        assert stage.ledger.cursors().jobs[JOB] == before

    def test_a_disabled_job_runs_nothing_also_by_hand(self, stage: Stage) -> None:
        stage.configure(enabled=False)
        with pytest.raises(JobDisabled):
            stage.ledger.request(JOB, key=7, asked_by="admin")
        assert stage.probe.fires(JOB) == []

    def test_only_a_job_that_is_there_can_be_asked_for(self, stage: Stage) -> None:
        stage.configure()
        stage.ledger.retire(JOB)
        for name in (JOB, "never-there"):
            with pytest.raises(UnknownJob):
                stage.ledger.request(name, key=7, asked_by="admin")
