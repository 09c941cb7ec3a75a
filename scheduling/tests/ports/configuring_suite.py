"""What every ledger does when people configure and retire jobs."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduling.domain.errors import UnknownJob
from scheduling.domain.fire import ExecutionState, FireState, Reason, Verdict
from scheduling.domain.job import Misfire
from scheduling.domain.trigger import CronTrigger, DateTrigger, IntervalTrigger, ManualTrigger, Trigger
from scheduling.tests.ports.stage import JOB, Stage, succeeded

A_MOMENT = timedelta(seconds=20)


class ConfiguringSuite:
    @pytest.mark.parametrize("misfire", Misfire)
    def test_a_job_comes_back_as_it_was_configured(self, stage: Stage, misfire: Misfire) -> None:
        job = stage.configure(
            sharding_total_count=3,
            item_parameters={0: "bachelor", 2: "doctor"},
            strategy="average_allocation",
            misfire=misfire,
            failover=False,
        )
        assert (job.sharding_total_count, job.item_parameters) == (3, {0: "bachelor", 2: "doctor"})
        assert (job.handler, job.strategy, job.misfire, job.failover) == ("sweep", "average_allocation", misfire, False)

    @pytest.mark.parametrize("kind", ["cron", "date", "manual"])
    def test_a_trigger_comes_back_as_it_was_configured(self, stage: Stage, kind: str) -> None:
        triggers: dict[str, Trigger] = {
            "cron": CronTrigger(expression="0 0 2 ? * SUN#1 2026-2030", time_zone="Asia/Shanghai", dst="quartz"),
            "date": DateTrigger(at=stage.at(-86_400)),
            "manual": ManualTrigger(),
        }
        assert stage.configure(trigger=triggers[kind]).trigger == triggers[kind]

    def test_each_configuring_raises_the_revision(self, stage: Stage) -> None:
        revisions = [stage.ledger.configure(stage.configure()) for _ in range(2)]
        assert revisions[0] < revisions[1] == stage.configured().revision == stage.ledger.cursors().jobs[JOB].revision

    def test_the_cursor_moves_to_the_ledgers_now(self, stage: Stage) -> None:
        stage.configure()
        job = stage.configure(rewind=0)
        cursor = stage.ledger.cursors().jobs[job.name]
        assert stage.now <= cursor.counted_to <= stage.ledger.cursors().now

    def test_the_cursor_never_moves_back(self, stage: Stage) -> None:
        stage.configure(rewind=-3600)
        before = stage.ledger.cursors().jobs[JOB].counted_to
        stage.configure(rewind=0)
        assert stage.ledger.cursors().jobs[JOB].counted_to == before

    def test_one_row_stands_for_what_was_due_under_the_old_trigger(self, stage: Stage) -> None:
        start = stage.configure(trigger=every(100), rewind=350).trigger.next(stage.at(360))
        stage.configure(trigger=ManualTrigger())
        (row,) = stage.probe.fires(JOB)
        assert (row.state, row.reason, row.missed_count) == (FireState.SKIPPED, Reason.EDITED, 3)
        assert start is not None
        assert (row.first_missed, row.fire_time) == (start, start + timedelta(seconds=200))

    @pytest.mark.parametrize("reason", [Reason.DISABLED, Reason.RETIRED])
    def test_the_row_says_whether_the_job_was_disabled_or_retired(self, stage: Stage, reason: Reason) -> None:
        stage.configure(trigger=DateTrigger(at=stage.at(60)))
        end_job(stage, reason)
        (row,) = stage.probe.fires(JOB)
        assert (row.state, row.reason, row.missed_count, row.fire_time) == (FireState.SKIPPED, reason, 1, stage.at(60))

    def test_what_is_opened_already_is_not_in_the_row(self, stage: Stage) -> None:
        job = stage.configure(trigger=DateTrigger(at=stage.at(60)))
        stage.open(job, 60)
        stage.configure()
        assert [row.state for row in stage.probe.fires(JOB)] == [FireState.OPEN]

    def test_no_row_is_left_when_nothing_was_due(self, stage: Stage) -> None:
        stage.configure(trigger=DateTrigger(at=stage.at(60)), rewind=30)
        stage.configure()
        assert stage.probe.fires(JOB) == []

    def test_a_job_that_was_disabled_had_nothing_due(self, stage: Stage) -> None:
        stage.configure(trigger=DateTrigger(at=stage.at(60)), enabled=False)
        stage.configure(trigger=DateTrigger(at=stage.at(60)))
        assert stage.probe.fires(JOB) == []

    @pytest.mark.parametrize("total", [1, 3])
    def test_an_edit_leaves_pending_executions_with_what_they_were_opened_with(self, stage: Stage, total: int) -> None:
        stage.open(stage.configure(sharding_total_count=2, item_parameters={1: "old"}), 30)
        stage.configure(sharding_total_count=total, item_parameters={0: "new"})
        stage.enter_instances("a")
        attempts = stage.claim(stage.live())
        assert [(a.item, a.total, a.parameters) for a in attempts] == [(0, 2, {1: "old"}), (1, 2, {1: "old"})]

    @pytest.mark.parametrize("reason", [Reason.DISABLED, Reason.RETIRED])
    def test_disabling_cancels_what_is_pending_or_waiting(self, stage: Stage, reason: Reason) -> None:
        stage.open(stage.configure(sharding_total_count=2), 30)
        stage.probe.retry_later(stage.live()[1].execution)
        end_job(stage, reason)
        stage.ledger.settle()
        ends = [(row.state, row.reason) for row in stage.probe.executions(JOB)]
        assert ends == [(ExecutionState.CANCELLED, reason)] * 2
        assert [(row.state, row.reason) for row in stage.probe.fires(JOB)] == [(FireState.SKIPPED, reason)]

    @pytest.mark.parametrize("reason", [Reason.DISABLED, Reason.RETIRED])
    def test_disabling_lets_what_runs_end(self, stage: Stage, reason: Reason) -> None:
        (attempt,) = stage.run_all(stage.configure(), 30)
        end_job(stage, reason)
        assert stage.ledger.finish([succeeded(attempt)]) == {attempt.execution: Verdict.WRITTEN}

    def test_disabling_one_job_leaves_the_others_alone(self, stage: Stage) -> None:
        stage.open(stage.configure(), 30)
        stage.configure("another", enabled=False)
        assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.PENDING]

    def test_a_disabled_job_is_still_shown(self, stage: Stage) -> None:
        job = stage.configure(enabled=False)
        assert not job.enabled
        assert not stage.ledger.cursors().jobs[JOB].enabled

    def test_a_retired_job_is_out_of_sight(self, stage: Stage) -> None:
        stage.configure()
        stage.ledger.retire(JOB)
        assert JOB not in {job.name for job in stage.ledger.jobs()}
        assert JOB not in stage.ledger.cursors().jobs

    def test_a_retired_job_that_is_configured_again_goes_on_with_its_tokens_and_revision(self, stage: Stage) -> None:
        job = stage.configure()
        (before,) = stage.run_all(job, 60)
        stage.ledger.finish([succeeded(before)])
        stage.ledger.retire(JOB)
        again = stage.configure()
        (after,) = stage.run_all(again, 30)
        assert (before.token, after.token) == (1, 2)
        assert again.revision > job.revision

    def test_what_was_pending_when_a_job_was_retired_does_not_come_back_with_it(self, stage: Stage) -> None:
        stage.open(stage.configure(), 30)
        stage.ledger.retire(JOB)
        stage.configure()
        assert stage.live() == []

    def test_only_a_job_that_is_there_can_be_retired(self, stage: Stage) -> None:
        stage.configure()
        stage.ledger.retire(JOB)
        for name in (JOB, "never-there"):
            with pytest.raises(UnknownJob):
                stage.ledger.retire(name)

    def test_items_above_a_lowered_total_are_named_until_their_executions_have_ended(self, stage: Stage) -> None:
        stage.open(stage.configure(sharding_total_count=8), 30)
        stage.configure(sharding_total_count=2)
        assert stage.ledger.live_items()[JOB] == {2, 3, 4, 5, 6, 7}
        stage.enter_instances("a")
        attempts = stage.claim(stage.live())
        stage.ledger.finish([succeeded(attempt) for attempt in attempts[:7]])
        assert stage.ledger.live_items()[JOB] == {7}
        stage.ledger.finish([succeeded(attempts[7])])
        assert JOB not in stage.ledger.live_items()

    def test_items_of_a_raised_total_begin_with_their_first_token(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 60)
        stage.ledger.finish([succeeded(attempt)])
        attempts = stage.run_all(stage.configure(sharding_total_count=3), 30)
        assert [attempt.token for attempt in attempts] == [2, 1, 1]

    def test_an_interval_counts_from_when_the_job_was_configured(self, stage: Stage) -> None:
        trigger = stage.configure(trigger=every(100), rewind=0).trigger
        assert stage.now <= anchor_of(trigger) <= stage.now + A_MOMENT

    def test_an_interval_keeps_its_anchor_when_something_else_is_edited(self, stage: Stage) -> None:
        before = stage.configure(trigger=every(100), rewind=350).trigger
        after = stage.configure(trigger=every(100), rewind=0, failover=False).trigger
        assert after == before
        assert anchor_of(after) < stage.at(300)

    def test_another_interval_counts_from_the_edit(self, stage: Stage) -> None:
        stage.configure(trigger=every(100), rewind=350)
        trigger = stage.configure(trigger=every(50), rewind=0).trigger
        assert anchor_of(trigger) >= stage.now

    def test_an_interval_counts_anew_after_another_kind_of_trigger(self, stage: Stage) -> None:
        stage.configure(trigger=every(100), rewind=350)
        stage.configure(trigger=ManualTrigger(), rewind=0)
        trigger = stage.configure(trigger=every(100), rewind=0).trigger
        assert anchor_of(trigger) >= stage.now

    def test_an_interval_counts_anew_when_the_job_is_enabled(self, stage: Stage) -> None:
        stage.configure(trigger=every(100), rewind=350, enabled=False)
        trigger = stage.configure(trigger=every(100), rewind=0).trigger
        assert anchor_of(trigger) >= stage.now

    def test_an_interval_keeps_its_anchor_while_the_job_is_disabled(self, stage: Stage) -> None:
        stage.configure(trigger=every(100), rewind=350)
        stage.configure(trigger=every(100), rewind=0, enabled=False)
        assert anchor_of(stage.configured().trigger) < stage.at(300)


def every(seconds: int) -> IntervalTrigger:
    """Return an interval whose anchor the ledger has to set."""
    return IntervalTrigger(seconds=seconds, anchor=datetime(2000, 1, 1, tzinfo=UTC))


def anchor_of(trigger: Trigger) -> datetime:
    assert isinstance(trigger, IntervalTrigger)
    return trigger.anchor


def end_job(stage: Stage, reason: Reason) -> None:
    """Disable or retire the job."""
    if reason is Reason.RETIRED:
        stage.ledger.retire(JOB)
    else:
        stage.configure(enabled=False, rewind=0)
