"""When a cluster prunes, and who."""

from datetime import timedelta
from itertools import pairwise

import pytest

from scheduling.domain.errors import LedgerUnavailable
from scheduling.domain.fire import FireState
from scheduling.domain.trigger import CronTrigger, IntervalTrigger
from scheduling.ports.memory_ledger import MemoryLedger
from scheduling.runtime.pruner import IDLE_SECONDS, STEADY_SECONDS, TAKES_SECONDS, WAITS_AT_MOST, Pruner
from scheduling.tests.runtime.stage import START, Stage, states

DAY = 86_400


class CountingLedger(MemoryLedger):
    """One instance's way to the ledger that all share: it notes when that one prunes."""

    def __init__(self, stage):
        super().__init__(stage.now)
        self.tables = stage.ledger.tables
        self.lock = stage.ledger.lock
        self.pruned_at = []

    def prune(self, **limits):
        self.pruned_at.append(self.clock())
        return super().prune(**limits)


@pytest.fixture
def stage():
    return Stage()


def play_with(stage, *names, seconds=150):
    ledgers = {name: CountingLedger(stage) for name in names}
    for name, ledger in ledgers.items():
        stage.node(name, ledger=ledger)
    stage.play(seconds)
    return ledgers


def test_only_the_leader_prunes(stage):
    stage.configure()
    ledgers = play_with(stage, "a", "b", "c")
    leader = stage.ensemble.leader
    assert {name for name, ledger in ledgers.items() if ledger.pruned_at} == {leader}


def test_the_next_leader_goes_on(stage):
    stage.configure()
    ledgers = play_with(stage, "a", "b", seconds=10)
    first = stage.ensemble.leader
    (other,) = ledgers.keys() - {first}
    assert not ledgers[other].pruned_at
    stage.actors[first].frozen = True
    stage.play(20)
    assert stage.ensemble.leader == other
    assert ledgers[other].pruned_at


def test_it_prunes_once_a_minute_and_steadily_while_there_is_something_to(stage, monkeypatch):
    stage.configure()
    ledgers = play_with(stage, "a", seconds=3 * IDLE_SECONDS)
    assert len(ledgers["a"].pruned_at) == 3
    monkeypatch.setattr("scheduling.ports.memory_pruning.AT_ONCE", 5)
    stage.probe.age(8 * DAY)
    before = len(stage.probe.fires("job"))
    stage.play(2 * IDLE_SECONDS)
    times = ledgers["a"].pruned_at[3:]
    waits = [(after - time).total_seconds() for time, after in pairwise(times)]
    calls = -(-before // 5)
    assert max(waits[: calls - 1]) <= STEADY_SECONDS + 1
    assert min(waits[calls - 1 :]) >= IDLE_SECONDS
    assert states(stage)[FireState.OPEN] <= 1


def test_it_keeps_away_from_the_moments_at_which_something_fires(stage):
    stage.configure(trigger=IntervalTrigger(seconds=1, anchor=START))
    ledgers = play_with(stage, "a", seconds=10 * IDLE_SECONDS)
    before_a_fire = [1 - at.microsecond / 1e6 for at in ledgers["a"].pruned_at]
    assert len(before_a_fire) >= 9
    assert all(left >= TAKES_SECONDS for left in before_a_fire)


def test_what_is_pruned_never_fires_again_and_what_follows_fires_once(stage):
    stage.configure()
    play_with(stage, "a", "b", seconds=21)
    stage.probe.age(8 * DAY)
    stage.play(2 * IDLE_SECONDS)
    assert min(row.fire_time for row in stage.probe.fires("job")) > START + timedelta(seconds=20)
    tokens = [token for _item, token in stage.ran]
    assert tokens == list(range(1, len(tokens) + 1))
    assert len(tokens) == int(stage.seconds) // 2


def test_a_ledger_that_does_not_answer_is_asked_again_later(stage, monkeypatch):
    stage.configure()
    ledgers = play_with(stage, "a", seconds=5)
    with monkeypatch.context() as patch:
        patch.setattr(ledgers["a"], "prune", unanswered)
        stage.play(IDLE_SECONDS + 5)
    pruned = len(ledgers["a"].pruned_at)
    stage.play(IDLE_SECONDS)
    assert len(ledgers["a"].pruned_at) > pruned
    assert states(stage)[FireState.OPEN] <= 1


def test_it_does_not_wait_for_ever_where_something_always_fires():
    class Ledger:
        calls = 0

        def prune(self, **limits):
            self.calls += 1
            return False

    seconds, ledger = [0.0], Ledger()
    pruner = Pruner(ledger, lambda: seconds[0])
    while seconds[0] < STEADY_SECONDS + WAITS_AT_MOST:
        pruner.prune(is_quiet=lambda seconds: False, not_after=START)
        seconds[0] += 0.5
    assert ledger.calls == 0
    seconds[0] += 1
    pruner.prune(is_quiet=lambda seconds: False, not_after=START)
    assert ledger.calls == 1


def test_an_outage_of_thirty_days_of_a_job_of_every_second_is_one_row(stage):
    stage.configure(trigger=CronTrigger(expression="* * * * * ?", time_zone="UTC"))
    stage.probe.rewind("job", 30 * DAY)
    stage.node("a")
    stage.play(5)
    missed, *ran = stage.probe.fires("job")
    assert missed.missed_count > 1_000
    assert missed.first_missed == START - timedelta(days=30) + timedelta(seconds=1)
    assert len(ran) <= 6
    assert {row.missed_count for row in ran} == {0}


def unanswered():
    raise LedgerUnavailable("lost")
