"""What every ledger does when fires are opened."""

from dataclasses import replace

import pytest

from scheduling.domain.errors import BrokenLedger
from scheduling.domain.fire import ExecutionState, FireState, Reason
from scheduling.domain.job import Misfire
from scheduling.domain.misfire import Missed
from scheduling.tests.ports.stage import JOB, Stage


class OpeningSuite:
    def test_the_cursor_moves_to_the_fire_time(self, stage: Stage) -> None:
        stage.open(stage.configure(), 30)
        assert stage.ledger.cursors().jobs[JOB].counted_to == stage.at(30)

    def test_a_fire_has_a_pending_execution_of_every_item(self, stage: Stage) -> None:
        stage.open(stage.configure(sharding_total_count=3), 30)
        (fire,) = stage.probe.fires(JOB)
        assert (fire.fire_time, fire.run, fire.state, fire.reason) == (stage.at(30), 0, FireState.OPEN, None)
        rows = [(row.fire, row.item, row.state, row.attempt) for row in stage.probe.executions(JOB)]
        assert rows == [(fire.fire, item, ExecutionState.PENDING, 0) for item in range(3)]

    def test_a_fire_time_of_this_second_can_be_opened(self, stage: Stage) -> None:
        stage.open(stage.configure(), 0)
        assert [e.fire_time for e in stage.live()] == [stage.now]

    def test_pending_executions_are_due_at_the_fire_time(self, stage: Stage) -> None:
        stage.open(stage.configure(), 30)
        assert [(e.fire_time, e.due_at, e.run) for e in stage.live()] == [(stage.at(30), stage.at(30), 0)]

    def test_a_fire_of_a_job_with_many_items_is_opened_whole(self, stage: Stage) -> None:
        stage.open(stage.configure(sharding_total_count=450), 30)
        assert [row.item for row in stage.probe.executions(JOB)] == list(range(450))

    def test_several_fires_have_their_executions_in_order(self, stage: Stage) -> None:
        stage.open(stage.configure(sharding_total_count=2), 90, 60, 30)
        opened = [(e.fire_time, e.item) for e in stage.live()]
        assert opened == [(stage.at(ago), item) for ago in (90, 60, 30) for item in (0, 1)]
        assert stage.ledger.cursors().jobs[JOB].counted_to == stage.at(30)

    def test_jobs_are_opened_together(self, stage: Stage) -> None:
        jobs = [stage.configure(name) for name in ("one", "two", "three")]
        openings = [stage.opening(job, ago) for ago, job in enumerate(jobs, start=10)]
        assert stage.ledger.open(openings, by="a") == {"one", "two", "three"}
        assert {name: len(stage.probe.executions(name)) for name in ("one", "two", "three")} == dict.fromkeys(
            ("one", "two", "three"), 1
        )

    def test_a_fire_that_is_still_open_is_not_opened_again_with_another_job_of_its_time(self, stage: Stage) -> None:
        one = stage.configure("one", misfire=Misfire.FIRE_ALL)
        stage.open(one, 60)
        openings = [stage.opening(one, 30), stage.opening(stage.configure("two", misfire=Misfire.FIRE_ALL), 60)]
        assert stage.ledger.open(openings, by="a") == {"one", "two"}
        assert {name: len(stage.probe.executions(name)) for name in ("one", "two")} == {"one": 2, "two": 1}

    def test_nothing_to_open_is_nothing_won(self, stage: Stage) -> None:
        assert stage.ledger.open([], by="a") == frozenset()

    def test_the_same_opening_again_is_not_won(self, stage: Stage) -> None:
        job = stage.configure()
        stage.open(job, 30)
        assert_not_won(stage, stage.ledger.open([stage.opening(job, 30)], by="b"), fires=1)

    def test_a_fire_time_before_the_cursor_is_not_won(self, stage: Stage) -> None:
        job = stage.configure()
        stage.open(job, 30)
        assert_not_won(stage, stage.ledger.open([stage.opening(job, 60)], by="b"), fires=1)
        assert stage.ledger.cursors().jobs[JOB].counted_to == stage.at(30)

    def test_an_opening_that_another_has_begun_is_not_won(self, stage: Stage) -> None:
        job = stage.configure()
        stage.open(job, 60)
        missed = Missed(
            state=FireState.SKIPPED, reason=Reason.NOBODY_WAS_UP, count=3, first=stage.at(90), last=stage.at(40)
        )
        for decided_before in (stage.opening(job, 30, missed=missed), stage.opening(job, 60, 30)):
            assert_not_won(stage, stage.ledger.open([decided_before], by="b"), fires=1)
        assert stage.ledger.cursors().jobs[JOB].counted_to == stage.at(60)

    @pytest.mark.parametrize("difference", [-1, 1])
    def test_a_job_of_another_revision_is_not_won(self, stage: Stage, difference: int) -> None:
        job = stage.configure()
        other = replace(job, revision=job.revision + difference)
        assert_not_won(stage, stage.ledger.open([stage.opening(other, 30)], by="a"), fires=0)

    def test_a_disabled_job_is_not_won(self, stage: Stage) -> None:
        job = stage.configure(enabled=False)
        assert_not_won(stage, stage.ledger.open([stage.opening(job, 30)], by="a"), fires=0)

    def test_a_retired_job_is_not_won(self, stage: Stage) -> None:
        job = stage.configure()
        stage.ledger.retire(JOB)
        stage.probe.rewind(JOB, 3600)
        retired = replace(job, revision=job.revision + 1)
        for opening in (stage.opening(job, 30), stage.opening(retired, 30)):
            assert_not_won(stage, stage.ledger.open([opening], by="a"), fires=0)

    def test_a_fire_time_after_the_ledgers_clock_is_not_won(self, stage: Stage) -> None:
        job = stage.configure()
        assert_not_won(stage, stage.ledger.open([stage.opening(job, -60)], by="a"), fires=0)
        assert stage.ledger.cursors().jobs[JOB].counted_to < stage.now

    def test_a_job_that_is_not_won_keeps_no_other_from_being_won(self, stage: Stage) -> None:
        passed, due = stage.configure("passed"), stage.configure("due")
        stage.open(passed, 30)
        openings = [stage.opening(passed, 30), stage.opening(due, 30)]
        assert stage.ledger.open(openings, by="b") == {"due"}

    def test_an_opening_that_fails_halfway_leaves_the_cursor_where_it_was_and_no_rows(self, stage: Stage) -> None:
        first, job = stage.configure("another"), stage.configure()
        before = stage.ledger.cursors().jobs
        with pytest.raises(BrokenLedger):
            stage.ledger.open([stage.opening(first, 30), stage.opening(job, 30, 30)], by="a")
        assert stage.ledger.cursors().jobs == before
        assert stage.probe.fires(JOB) == stage.probe.fires("another") == []
        assert stage.probe.executions(JOB) == stage.probe.executions("another") == []

    def test_a_fire_that_is_in_a_restored_ledger_already_is_reported(self, stage: Stage) -> None:
        job = stage.configure()
        stage.open(job, 30)
        stage.probe.rewind(JOB, 3600)
        with pytest.raises(BrokenLedger):
            stage.ledger.open([stage.opening(job, 30)], by="a")
        assert len(stage.probe.executions(JOB)) == 1

    def test_fire_times_that_do_not_run_are_one_settled_row(self, stage: Stage) -> None:
        missed = a_row(stage, FireState.SKIPPED)
        stage.open(stage.configure(), 30, missed=missed)
        row, opened = stage.probe.fires(JOB)
        assert (row.state, row.reason, row.fire_time) == (FireState.SKIPPED, Reason.NOBODY_WAS_UP, stage.at(60))
        assert (row.missed_count, row.first_missed, row.coalesced_into) == (3, stage.at(120), None)
        assert [e.fire for e in stage.probe.executions(JOB)] == [opened.fire]

    def test_coalesced_fire_times_say_into_which_fire(self, stage: Stage) -> None:
        stage.open(stage.configure(), 30, missed=a_row(stage, FireState.COALESCED))
        row, opened = stage.probe.fires(JOB)
        assert (row.state, row.coalesced_into) == (FireState.COALESCED, opened.fire)

    def test_an_opening_may_have_no_fire_that_runs(self, stage: Stage) -> None:
        stage.open(stage.configure(), missed=a_row(stage, FireState.SKIPPED))
        assert [row.state for row in stage.probe.fires(JOB)] == [FireState.SKIPPED]
        assert stage.ledger.cursors().jobs[JOB].counted_to == stage.at(60)
        assert stage.live() == []

    def test_a_row_for_what_does_not_run_stays_as_it_is(self, stage: Stage) -> None:
        stage.open(stage.configure(), missed=a_row(stage, FireState.SKIPPED))
        before = stage.probe.fires(JOB)
        assert stage.ledger.settle() == 0
        assert stage.probe.fires(JOB) == before


def a_row(stage: Stage, state: FireState) -> Missed:
    """Return three fire times that do not run."""
    return Missed(state=state, reason=Reason.NOBODY_WAS_UP, count=3, first=stage.at(120), last=stage.at(60))


def assert_not_won(stage: Stage, won: frozenset[str], *, fires: int) -> None:
    assert won == frozenset()
    assert len(stage.probe.fires(JOB)) == len(stage.probe.executions(JOB)) == fires
