"""In which order an instance does what it could do at one time: starts first, within bounds."""

from itertools import pairwise

import pytest

from scheduling.domain.errors import LedgerUnavailable
from scheduling.domain.fire import ExecutionState, FireState
from scheduling.domain.trigger import IntervalTrigger
from scheduling.runtime.executor import run
from scheduling.tests.runtime.stage import START, Stage, owned, states


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def calls(stage, monkeypatch):
    """What is asked of the ledger: how many executions to claim, how many results to write."""
    seen = []
    for name in ("claim", "finish"):
        monkeypatch.setattr(stage.ledger, name, noted(seen, name, getattr(stage.ledger, name)))
    return seen


def noted(seen, name, method):
    def call(rows, **how):
        seen.append((name, len(rows)))
        return method(rows, **how)

    return call


def quick(actor):
    """Have handlers that have ended as soon as they are started."""
    actor.workers.start = lambda *given: actor.workers.results.append(run(*given[:2], given[2].function))
    return actor


def test_what_waits_to_be_started_goes_before_what_waits_to_be_written(stage, calls):
    stage.configure(sharding_total_count=12)
    quick(stage.node("a", workers=4))
    stage.play(3)
    assert calls == [("claim", 4), ("claim", 4), ("claim", 4), ("finish", 12)]


def test_results_of_more_than_one_write_never_wait(stage, calls):
    stage.configure(sharding_total_count=1000)
    quick(stage.node("a", workers=64))
    stage.play(3)
    written = [count for name, count in calls if name == "finish"]
    assert sum(written) == 1000
    assert max(written) < 200 + 64
    assert states(stage) == {FireState.SUCCEEDED: 1}


def test_results_are_written_although_claims_fail(stage, calls, monkeypatch):
    stage.configure(sharding_total_count=12)
    quick(stage.node("a", workers=4))
    claim, left = stage.ledger.claim, [1]

    def fail_after_the_first(rows, **how):
        if not left:
            raise LedgerUnavailable("no answer")
        left.pop()
        return claim(rows, **how)

    monkeypatch.setattr(stage.ledger, "claim", fail_after_the_first)
    stage.play(4)
    assert ("finish", 4) in calls
    ended = [row for row in stage.probe.executions("job") if row.state is ExecutionState.SUCCEEDED]
    assert len(ended) == 4


def test_a_ledger_that_did_not_answer_is_read_before_anything_is_claimed_again(stage, calls, monkeypatch):
    stage.configure(sharding_total_count=4)
    workers = stage.node("a", workers=2).workers
    stage.play(2.2, end=False)
    finish, cursors = stage.ledger.finish, stage.ledger.cursors
    answers = iter([False])

    def finish_or_fail(rows, **how):
        if next(answers, True):
            return finish(rows, **how)
        calls.append(("failed", len(rows)))
        raise LedgerUnavailable("no answer")

    monkeypatch.setattr(stage.ledger, "finish", finish_or_fail)
    monkeypatch.setattr(stage.ledger, "cursors", lambda: calls.append(("cursors", 0)) or cursors())
    for _ in range(2):
        execution = min(workers.attempts)
        workers.results.append(run(*workers.attempts.pop(execution)))
        stage.play(0.1, end=False)
    after = [name for name, _ in calls[calls.index(("failed", 1)) :]]
    assert after.index("cursors") < after.index("claim")


def test_what_waits_for_the_new_owner_of_its_item_starts_when_the_item_is_gained(stage):
    stage.configure(sharding_total_count=4)
    stage.node("a")
    survivor = stage.node("b")
    stage.play(7)
    stage.play(1.3, end=False)  # the fire at 8 s has begun everywhere
    del stage.actors["a"]
    stage.ledger.die("a", by="supervisor")  # so that what it ran is pending before its items have a new owner
    survivor.workers.end_all()
    while owned(stage) != {"b": 4}:
        stage.play(0.05, end=False)
    stage.play(0.1, end=False)  # it reads at once what it has assigned
    assert {attempt.number for attempt in survivor.workers.running().values()} >= {2}


def test_a_reading_of_the_registry_waits_for_a_fire_that_is_near_but_not_for_long(stage, monkeypatch):
    stage.configure(trigger=IntervalTrigger(seconds=1, anchor=START))
    stage.play(0.472, step=0.004)
    registry = stage.node("a").membership._registry
    cluster, readings = registry.cluster, []
    monkeypatch.setattr(registry, "cluster", lambda: readings.append(stage.seconds) or cluster())
    stage.play(20, step=0.004)
    settled = [at for at in readings if at > 3]
    assert all(at % 1 < 0.98 for at in settled)
    assert max(later - earlier for earlier, later in pairwise(settled)) < 0.8
