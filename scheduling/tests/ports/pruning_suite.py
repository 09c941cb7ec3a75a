"""What every ledger does to stay small: which fires it forgets, and what must not depend on them."""

from scheduling.domain.fire import Attempt, ExecutionState, FireState, Reason, Result, Verdict
from scheduling.domain.job import Job
from scheduling.domain.misfire import Missed
from scheduling.domain.trigger import IntervalTrigger
from scheduling.ports.ledger import Ledger
from scheduling.tests.ports.stage import JOB, Stage, succeeded

HOUR, DAY = 3_600, 86_400
CALLS_AT_MOST = 100


class PruningSuite:
    def test_what_settled_longer_ago_than_its_job_keeps_goes_and_what_did_not_stays(self, stage: Stage) -> None:
        short, long = stage.configure("short"), stage.configure("long")
        stage.probe.keep("short", days=1)
        stage.probe.keep("long", days=30)
        for job in (short, long, stage.configure()):
            settle(stage, job, 300)
        stage.probe.age(3 * DAY)
        settle(stage, short, 200)
        prune_all(stage.ledger)
        assert [len(stage.probe.fires(name)) for name in ("short", "long", JOB)] == [1, 1, 1]
        assert [row.fire_time for row in stage.probe.fires("short")] == [stage.at(200)]
        stage.probe.age(5 * DAY)
        prune_all(stage.ledger)
        assert [len(stage.probe.fires(name)) for name in ("short", "long", JOB)] == [0, 1, 0]

    def test_of_what_is_more_than_its_job_keeps_the_oldest_goes(self, stage: Stage) -> None:
        job, other = stage.configure(sharding_total_count=2), stage.configure("other")
        stage.probe.keep(JOB, fires=2)
        for ago in (500, 400, 300, 200):
            settle(stage, job, ago)
            settle(stage, other, ago)
            stage.probe.age(HOUR + 1)
        prune_all(stage.ledger)
        assert [row.fire_time for row in stage.probe.fires(JOB)] == [stage.at(300), stage.at(200)]
        assert len(stage.probe.executions(JOB)) == 4
        assert len(stage.probe.fires("other")) == 4

    def test_what_settled_within_the_last_hour_stays_whatever_its_number(self, stage: Stage) -> None:
        job = stage.configure()
        stage.probe.keep(JOB, fires=1)
        for ago in (300, 200, 100):
            settle(stage, job, ago)
        stage.probe.age(HOUR - 60)
        prune_all(stage.ledger)
        assert len(stage.probe.fires(JOB)) == 3

    def test_what_is_live_or_unsettled_stays_whatever_its_age(self, stage: Stage) -> None:
        job = stage.configure()
        stage.probe.keep(JOB, days=1, fires=1)
        (attempt,) = stage.run_all(job, 300)
        stage.ledger.finish([succeeded(attempt)])  # and nobody settles its fire
        stage.open(job, 200)
        stage.probe.age(10 * DAY)
        prune_all(stage.ledger)
        states = [(row.state, len(stage.live())) for row in stage.probe.fires(JOB)]
        assert states == [(FireState.OPEN, 1), (FireState.OPEN, 1)]

    def test_a_fire_whose_handler_has_outlived_its_attempt_stays_until_the_item_is_free(self, stage: Stage) -> None:
        (attempt,) = stage.run_all(stage.configure(), 300)
        tokens = stage.ledger.cut_off([Result(attempt=attempt, state=ExecutionState.FAILED, reason=Reason.TIMED_OUT)])
        stage.ledger.settle()
        stage.probe.age(8 * DAY)
        prune_all(stage.ledger)
        assert len(stage.probe.fires(JOB)) == 1
        stage.ledger.release({attempt: tokens[attempt.execution]})
        prune_all(stage.ledger)
        assert stage.probe.fires(JOB) == []
        assert stage.ledger.look([JOB]).held == frozenset()

    def test_markers_go_with_their_executions_and_no_others_do(self, stage: Stage) -> None:
        job = stage.configure()
        done = run_once(stage, job, 300)
        stage.probe.age(8 * DAY)
        kept = run_once(stage, job, 200)
        assert stage.probe.markers() == {(done.execution, "write"), (kept.execution, "write")}
        prune_all(stage.ledger)
        assert stage.probe.markers() == {(kept.execution, "write")}

    def test_the_one_row_for_many_fire_times_goes_too(self, stage: Stage) -> None:
        job = stage.configure()
        missed = Missed(
            state=FireState.COALESCED, reason=Reason.NOBODY_WAS_UP, count=7, first=stage.at(900), last=stage.at(600)
        )
        stage.open(job, 300, missed=missed)
        stage.probe.age(8 * DAY)
        prune_all(stage.ledger)
        assert [row.fire_time for row in stage.probe.fires(JOB)] == [stage.at(300)]

    def test_nothing_fires_twice_and_tokens_go_on_when_all_is_forgotten(self, stage: Stage) -> None:
        job = stage.configure(trigger=IntervalTrigger(seconds=100, anchor=stage.at(1_000)), sharding_total_count=2)
        opening = stage.opening(job, 300)
        first = settle(stage, job, 300)
        stage.probe.age(8 * DAY)
        prune_all(stage.ledger)
        assert stage.probe.fires(JOB) == []
        restarted = stage.make_ledger()
        assert restarted.cursors().jobs[JOB].counted_to == stage.at(300)
        assert restarted.open([opening], by="opener") == frozenset()
        again = settle(stage, job, 200)
        asked_for = stage.ledger.request(JOB, key=77, asked_by="ann")
        by_hand = stage.claim(stage.live())
        tokens = [[attempt.token for attempt in attempts] for attempts in (first, again, by_hand)]
        assert tokens == [[1, 1], [2, 2], [3, 3]]
        assert {attempt.fire for attempt in by_hand} == {asked_for}
        assert not {a.execution for a in first} & {a.execution for a in [*again, *by_hand]}

    def test_a_result_that_comes_after_its_fire_was_forgotten_changes_nothing(self, stage: Stage) -> None:
        (attempt,) = settle(stage, stage.configure(), 300)
        stage.probe.age(8 * DAY)
        prune_all(stage.ledger)
        assert stage.ledger.finish([succeeded(attempt)]) == {attempt.execution: Verdict.NO_LONGER_YOURS}
        assert stage.ledger.cut_off([succeeded(attempt)]) == {}
        stage.ledger.release({attempt: attempt.token + 1})
        stage.ledger.progress({attempt: (1, 2)})
        assert stage.probe.executions(JOB) == []

    def test_the_fires_of_a_retired_job_are_forgotten_as_those_of_any_other(self, stage: Stage) -> None:
        settle(stage, stage.configure(), 300)
        stage.ledger.retire(JOB)
        stage.probe.age(8 * DAY)
        prune_all(stage.ledger)
        assert stage.probe.fires(JOB) == []
        assert stage.probe.tokens(JOB) == {0: 1}

    def test_an_instance_is_remembered_for_seven_days_after_its_death(self, stage: Stage) -> None:
        stage.enter_instances("a", "b", "alive")
        stage.ledger.die("a", by="alive")
        stage.probe.age(5 * DAY)
        stage.ledger.die("b", by="alive")
        stage.probe.age(3 * DAY)
        prune_all(stage.ledger)
        assert stage.probe.instances() == {"b", "alive"}

    def test_an_instance_that_an_item_names_is_remembered_until_it_is_taken_over(self, stage: Stage) -> None:
        stage.run_all(stage.configure(), 300)
        stage.ledger.die("a", by="a")
        stage.probe.age(8 * DAY)
        prune_all(stage.ledger)
        assert stage.probe.instances() == {"a"}
        assert [taken.instance for taken in stage.ledger.take_over()] == ["a"]
        prune_all(stage.ledger)
        assert stage.probe.instances() == set()

    def test_several_that_prune_at_one_instant_forget_the_same(self, stage: Stage) -> None:
        jobs = [stage.configure(name) for name in ("one", "two", "three")]
        for ago in range(400, 100, -20):
            for job in jobs:
                settle(stage, job, ago)
        stage.probe.age(8 * DAY)
        for job in jobs:
            settle(stage, job, 50)
        stage.together(lambda ledger, _number: prune_all(ledger), range(3))
        assert [len(stage.probe.fires(job.name)) for job in jobs] == [1, 1, 1]


def prune_all(ledger: Ledger) -> None:
    """Prune until there is nothing left to prune."""
    for _call in range(CALLS_AT_MOST):
        if not ledger.prune():
            return
    raise AssertionError("pruning does not end")


def settle(stage: Stage, job: Job, ago: float) -> list[Attempt]:
    """Open a fire, run it to its end and settle it; return its attempts."""
    attempts = stage.run_all(job, ago)
    stage.ledger.finish([succeeded(attempt) for attempt in attempts])
    stage.ledger.settle()
    return attempts


def run_once(stage: Stage, job: Job, ago: float) -> Attempt:
    """The same, with something that it does once."""
    (attempt,) = stage.run_all(job, ago)
    stage.fence.once(attempt, "write", lambda: None)
    stage.ledger.finish([succeeded(attempt)])
    stage.ledger.settle()
    return attempt
