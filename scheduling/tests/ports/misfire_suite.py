"""What every ledger does at an opening with what was opened before and not claimed: it applies the misfire policy."""

import pytest

from scheduling.domain.fire import ExecutionState, FireState, Reason
from scheduling.domain.job import FIRE_ALL_AGE, FIRE_ALL_MOST, Misfire
from scheduling.domain.misfire import Missed, opening
from scheduling.domain.trigger import IntervalTrigger
from scheduling.tests.ports.stage import JOB, Stage, succeeded

PENDING = (ExecutionState.PENDING, None)
DAY = FIRE_ALL_AGE


class MisfireSuite:
    def test_skip_cancels_what_was_not_claimed(self, stage: Stage) -> None:
        open_twice(stage, Misfire.SKIP)
        assert ends(stage) == [(ExecutionState.CANCELLED, Reason.STILL_RAN), PENDING]
        late, fire = stage.probe.fires(JOB)
        assert (late.state, late.reason, late.coalesced_into) == (FireState.SKIPPED, Reason.STILL_RAN, None)
        assert fire.state == FireState.OPEN

    def test_skip_cancels_the_new_execution_of_an_item_that_still_runs(self, stage: Stage) -> None:
        job = stage.configure(misfire=Misfire.SKIP, sharding_total_count=2)
        still_running, finished = stage.run_all(job, 60)
        stage.ledger.finish([succeeded(finished)])
        stage.open(job, 30)
        new = [(e.item, e.state, e.reason) for e in stage.probe.executions(JOB)[2:]]
        assert new == [(0, ExecutionState.CANCELLED, Reason.STILL_RAN), (1, *PENDING)]
        assert [(e.item, e.state) for e in stage.live()] == [(0, ExecutionState.RUNNING), (1, ExecutionState.PENDING)]
        assert ("cleanup", still_running.item) in stage.ledger.look([JOB]).held

    def test_skip_settles_a_fire_none_of_whose_items_was_free(self, stage: Stage) -> None:
        job = stage.configure(misfire=Misfire.SKIP, sharding_total_count=2)
        stage.run_all(job, 60)
        stage.open(job, 30)
        stage.ledger.settle()
        running, skipped = stage.probe.fires(JOB)
        assert running.state == FireState.OPEN
        assert (skipped.state, skipped.reason) == (FireState.SKIPPED, Reason.STILL_RAN)

    def test_fire_once_coalesces_what_was_not_claimed_into_the_new_fire(self, stage: Stage) -> None:
        open_twice(stage, Misfire.FIRE_ONCE)
        assert ends(stage) == [(ExecutionState.CANCELLED, Reason.COALESCED), PENDING]
        late, fire = stage.probe.fires(JOB)
        assert (late.state, late.coalesced_into) == (FireState.COALESCED, fire.fire)
        assert (fire.state, fire.coalesced_into) == (FireState.OPEN, None)

    def test_fire_once_lets_the_new_execution_wait_for_an_item_that_still_runs(self, stage: Stage) -> None:
        job = stage.configure(misfire=Misfire.FIRE_ONCE)
        stage.run_all(job, 60)
        stage.open(job, 30)
        assert ends(stage) == [(ExecutionState.RUNNING, None), PENDING]

    def test_jobs_of_different_policies_are_opened_together_after_an_outage(self, stage: Stage) -> None:
        every_second = IntervalTrigger(seconds=1, anchor=stage.at(1000))
        jobs = [
            stage.configure(name, misfire=policy, trigger=every_second)
            for name, policy in (("once", Misfire.FIRE_ONCE), ("all", Misfire.FIRE_ALL))
        ]
        openings = [o for job in jobs if (o := opening(job, stage.at(8), stage.now))]
        assert stage.ledger.open(openings, by="a") == {"once", "all"}
        assert [len(stage.probe.fires(name)) for name in ("once", "all")] == [2, 8]
        assert sorted(execution.job for execution in stage.ledger.look(["once", "all"]).executions) == ["all"] * 8 + [
            "once"
        ]

    def test_a_fire_that_ran_in_part_is_settled_by_the_part_that_ran(self, stage: Stage) -> None:
        job = stage.configure(misfire=Misfire.FIRE_ONCE, sharding_total_count=2)
        stage.open(job, 60)
        stage.enter_instances("a")
        stage.ledger.finish([succeeded(attempt) for attempt in stage.claim(stage.live()[:1])])
        stage.open(job, 30)
        stage.ledger.settle()
        assert ends(stage)[:2] == [(ExecutionState.SUCCEEDED, None), (ExecutionState.CANCELLED, Reason.COALESCED)]
        assert stage.probe.fires(JOB)[0].state == FireState.SUCCEEDED

    def test_fire_all_keeps_what_was_not_claimed(self, stage: Stage) -> None:
        open_twice(stage, Misfire.FIRE_ALL)
        assert ends(stage) == [PENDING, PENDING]

    def test_fire_all_keeps_a_bounded_number_of_every_item(self, stage: Stage) -> None:
        job = stage.configure(misfire=Misfire.FIRE_ALL, sharding_total_count=2)
        stage.open(job, *range(10 + FIRE_ALL_MOST, 10, -1))
        assert ends(stage) == [PENDING] * 2 * FIRE_ALL_MOST
        stage.open(job, 10)
        stage.ledger.settle()
        assert ends(stage) == [(ExecutionState.CANCELLED, Reason.TOO_OLD)] * 2 + [PENDING] * 2 * FIRE_ALL_MOST
        oldest = stage.probe.fires(JOB)[0]
        assert (oldest.state, oldest.reason) == (FireState.SKIPPED, Reason.TOO_OLD)

    def test_fire_all_cancels_what_is_too_old(self, stage: Stage) -> None:
        job = stage.configure(misfire=Misfire.FIRE_ALL)
        stage.open(job, DAY + 600, DAY - 600)
        stage.open(job, 30)
        assert ends(stage) == [(ExecutionState.CANCELLED, Reason.TOO_OLD), PENDING, PENDING]

    def test_fire_all_counts_only_what_is_not_claimed(self, stage: Stage) -> None:
        job = stage.configure(misfire=Misfire.FIRE_ALL)
        stage.run_all(job, FIRE_ALL_MOST + 20)
        stage.open(job, *range(10 + FIRE_ALL_MOST, 10, -1))
        assert ends(stage) == [(ExecutionState.RUNNING, None)] + [PENDING] * FIRE_ALL_MOST

    @pytest.mark.parametrize("misfire", Misfire)
    def test_what_was_taken_back_from_a_dead_instance_is_not_late(self, stage: Stage, misfire: Misfire) -> None:
        job = stage.configure(misfire=misfire)
        stage.run_all(job, DAY + 60)
        stage.ledger.die("a", by="b")
        stage.ledger.take_over()
        stage.open(job, 30)
        assert ends(stage) == [PENDING, PENDING]

    @pytest.mark.parametrize("misfire", Misfire)
    def test_what_waits_for_its_next_attempt_is_not_late(self, stage: Stage, misfire: Misfire) -> None:
        job = stage.configure(misfire=misfire)
        stage.open(job, DAY + 60)
        stage.probe.retry_later(stage.live()[0].execution)
        stage.open(job, 30)
        assert ends(stage) == [(ExecutionState.WAITING, None), PENDING]

    @pytest.mark.parametrize("misfire", Misfire)
    def test_what_a_person_asked_for_is_not_late(self, stage: Stage, misfire: Misfire) -> None:
        job = stage.configure(misfire=misfire)
        stage.ledger.request(JOB, key=7, asked_by="admin")
        stage.open(job, 0)
        assert ends(stage) == [PENDING, PENDING]

    @pytest.mark.parametrize("misfire", Misfire)
    def test_fires_of_other_jobs_are_not_late(self, stage: Stage, misfire: Misfire) -> None:
        stage.open(stage.configure(misfire=misfire), 60)
        stage.open(stage.configure("another", misfire=misfire), 30)
        assert ends(stage) == [PENDING]

    def test_two_jobs_opened_together_each_follow_their_own_policy(self, stage: Stage) -> None:
        policies = {"skip": Misfire.SKIP, "once": Misfire.FIRE_ONCE, "all": Misfire.FIRE_ALL}
        jobs = [stage.configure(name, misfire=misfire) for name, misfire in policies.items()]
        for ago in (60, 30):
            stage.ledger.open([stage.opening(job, ago) for job in jobs], by="a")
        reasons = {name: [e.reason for e in stage.probe.executions(name)] for name in policies}
        assert reasons == {"skip": [Reason.STILL_RAN, None], "once": [Reason.COALESCED, None], "all": [None, None]}

    def test_what_is_late_is_skipped_also_when_the_opening_has_no_fire_that_runs(self, stage: Stage) -> None:
        job = stage.configure(misfire=Misfire.SKIP)
        stage.open(job, 600)
        reason, time = Reason.NOBODY_WAS_UP, stage.at(300)
        stage.open(job, missed=Missed(state=FireState.SKIPPED, reason=reason, count=1, first=time, last=time))
        assert ends(stage) == [(ExecutionState.CANCELLED, Reason.STILL_RAN)]


def open_twice(stage: Stage, misfire: Misfire) -> None:
    """Open a fire that nobody claims, and then the next; settle."""
    job = stage.configure(misfire=misfire)
    stage.open(job, 60)
    stage.open(job, 30)
    stage.ledger.settle()


def ends(stage: Stage) -> list[tuple[ExecutionState, Reason | None]]:
    return [(row.state, row.reason) for row in stage.probe.executions(JOB)]
