"""Nodes whose ledger or registry answers too late, not at all, or with what cannot be."""

from collections import Counter
from datetime import timedelta

import pytest

from scheduling.domain.errors import BrokenLedger, LedgerUnavailable, RegistryUnavailable
from scheduling.domain.fire import FireState
from scheduling.domain.job import Misfire
from scheduling.domain.trigger import IntervalTrigger, ManualTrigger
from scheduling.ports.memory_ledger import MemoryLedger
from scheduling.ports.memory_registry import MemoryRegistry
from scheduling.runtime.membership import CONFIRM_SECONDS
from scheduling.tests.runtime.stage import START, Stage, owned, states


@pytest.fixture
def stage():
    return Stage()


class Forgetful(MemoryLedger):
    """Loses the answer of the next claim, opening or finish, which was written, or the next claim itself."""

    lose = ""

    def claim(self, executions, *, by, claim):
        if self.lose == "question":
            self.lose = ""
            raise LedgerUnavailable("lost")
        attempts = super().claim(executions, by=by, claim=claim)
        if self.lose == "answer":
            self.lose = ""
            raise LedgerUnavailable("lost")
        return attempts

    def open(self, openings, *, by):
        won = super().open(openings, by=by)
        if self.lose == "opening":
            self.lose = ""
            raise LedgerUnavailable("lost")
        return won

    def finish(self, results, **limits):
        verdicts = super().finish(results, **limits)
        if self.lose == "verdict":
            self.lose = ""
            raise LedgerUnavailable("lost")
        return verdicts


@pytest.mark.parametrize("lost", ["question", "answer", "verdict"])
def test_a_lost_reply_neither_starts_twice_nor_loses_anything(stage, lost):
    ledger = Forgetful(stage.now)
    ledger.tables = stage.ledger.tables
    stage.ledger = ledger
    stage.configure()
    stage.node("a", ledger=ledger)
    stage.play(1)
    ledger.lose = lost
    stage.play(6)
    assert [fire.state for fire in stage.probe.fires("job")] == [FireState.SUCCEEDED] * 3
    assert [row.attempt for row in stage.probe.executions("job")] == [1, 1, 1]
    assert len(stage.ran) == 3


@pytest.mark.parametrize("misfire", Misfire)
def test_a_lost_reply_to_an_opening_loses_no_fire_time_while_the_registry_is_away(stage, monkeypatch, misfire):
    ledger = Forgetful(stage.now)
    ledger.tables = stage.ledger.tables
    stage.configure(trigger=IntervalTrigger(seconds=1, anchor=START), misfire=misfire)
    stage.node("a", ledger=ledger)
    stage.play(2.5)
    ledger.lose = "opening"
    monkeypatch.setattr(MemoryRegistry, "cluster", unavailable)
    stage.play(3)  # the cursors are not read
    monkeypatch.undo()
    stage.play(3)
    accounted = [fire.first_missed or fire.fire_time for fire in stage.probe.fires("job")]
    assert accounted == [START + timedelta(seconds=second) for second in range(1, 9)]


def test_an_instance_whose_node_somebody_deleted_registers_again_and_is_not_declared_dead(stage):
    stage.configure(sharding_total_count=2)
    stage.node("a")
    b = stage.node("b")
    stage.play(12)
    del stage.ensemble.sessions["b"]
    stage.play(0.1, step=0.01)
    b.membership.wake()
    b.due_at = 0.0
    stage.play(12)
    assert b.id == "b"
    assert stage.ledger.joined() == {"a", "b"}


def test_what_a_leader_does_for_long_after_it_missed_one_does_not_confirm_its_death(stage, monkeypatch):
    stage.configure(sharding_total_count=2)
    a, b = stage.node("a"), stage.node("b")  # a leads
    stage.play(12)
    assign = MemoryRegistry.assign

    def slowly(self, *arguments, **named):
        stage.seconds += 2 * CONFIRM_SECONDS
        return assign(self, *arguments, **named)

    del stage.ensemble.sessions["b"]
    a.membership.wake()
    with monkeypatch.context() as patched:
        patched.setattr(MemoryRegistry, "assign", slowly)
        before = stage.seconds
        a.node.tick()
    assert stage.seconds > before
    assert stage.ledger.joined() == {"a", "b"}
    b.membership.wake()
    b.node.tick()
    stage.play(12)
    assert b.id == "b"
    assert stage.ledger.joined() == {"a", "b"}


def test_items_of_one_that_is_gone_are_given_out_at_once_and_its_death_is_confirmed_once(stage):
    stage.configure(sharding_total_count=2)
    stage.node("a")  # it leads
    b = stage.node("b")
    stage.play(12)
    del stage.actors["a"], stage.ensemble.sessions["a"]
    b.membership.wake()
    b.due_at = 0.0
    stage.play(0.1, step=0.01)
    assert owned(stage) == {"b": 2}
    assert stage.ledger.joined() == {"a", "b"}
    stage.play(CONFIRM_SECONDS, step=0.01)
    assert stage.ledger.joined() == {"b"}


def unavailable(*_args):
    raise RegistryUnavailable("away")


def test_a_lost_claim_of_a_job_that_is_gone_by_then_is_put_back_and_stops_nothing(stage):
    ledger = Forgetful(stage.now)
    ledger.tables = stage.ledger.tables
    stage.ledger = ledger
    stage.configure(name="a", sharding_total_count=3)
    stage.configure(name="b", trigger=ManualTrigger())
    stage.node("i", ledger=ledger)
    stage.play(2.5)
    ledger.lose = "answer"
    stage.play(1.6)
    assert not ledger.lose
    ledger.retire("a")
    stage.play(12)
    assert states(stage, "a")[FireState.OPEN] == 0
    ledger.request("b", key=1, asked_by="ada")
    stage.play(2)
    assert states(stage, "b") == {FireState.SUCCEEDED: 1}
    assert max(Counter(stage.ran).values()) <= 2  # one of each job


def test_where_time_zone_rules_differ_those_who_know_the_newest_open_also_what_others_own(stage):
    stage.configure()
    stage.node("a")
    stage.play(7)
    stage.node("b", tzdata="2099a")
    stage.play(14)
    assert owned(stage) == {"a": 1}
    assert states(stage) == {FireState.SUCCEEDED: 10}


@pytest.mark.parametrize(("owner", "other"), [("", "2026a"), ("2026a", "")])
def test_where_one_does_not_know_its_time_zone_rules_the_other_opens_all(stage, owner, other):
    stage.configure()
    stage.node("a", tzdata=owner)
    stage.play(7)
    stage.node("b", tzdata=other)
    stage.play(14)
    assert owned(stage) == {"a": 1}
    assert states(stage) == {FireState.SUCCEEDED: 10}


class Locked(MemoryLedger):
    """Gives no answer to whoever writes results, as if somebody had locked an item's row."""

    locked = False

    def finish(self, results, **limits):
        if self.locked:
            raise LedgerUnavailable("locked")
        return super().finish(results, **limits)


def test_a_result_that_cannot_be_written_keeps_nobody_from_leading(stage):
    ledger = Locked(stage.now)
    ledger.tables = stage.ledger.tables
    stage.configure()
    stage.node("a", ledger=ledger)
    stage.play(7)
    ledger.locked = True
    stage.play(3)
    stage.configure(name="new", sharding_total_count=2)
    stage.node("b")
    stage.play(10)
    assert owned(stage, "new") == {"a": 1, "b": 1}
    (first, *_) = [execution for execution in stage.probe.executions("new") if execution.item == 1]
    assert first.state == "succeeded"
    ledger.locked = False
    stage.play(7)
    assert states(stage)[FireState.OPEN] == states(stage, "new")[FireState.OPEN] == 0


class Unsettling(MemoryLedger):
    """Gives no answer, once, to whoever settles fires."""

    failures = 1

    def settle(self, fires=None):
        if fires and self.failures:
            self.failures -= 1
            raise LedgerUnavailable("lost")
        return super().settle(fires)


def test_a_result_that_is_written_is_said_although_its_fire_could_not_be_settled(stage, caplog):
    ledger = Unsettling(stage.now)
    ledger.tables = stage.ledger.tables
    stage.configure(trigger=ManualTrigger())
    stage.node("a", ledger=ledger)
    stage.play(3)
    ledger.request("job", key=1, asked_by="ada")
    with caplog.at_level("INFO"):
        stage.play(10)
    assert not ledger.failures
    assert caplog.text.count("succeeded") == 1
    assert states(stage) == {FireState.SUCCEEDED: 1}


class Witnessed(MemoryLedger):
    """Knows who has opened its fires, in order."""

    def __init__(self, clock):
        super().__init__(clock)
        self.openers = []

    def open(self, openings, *, by):
        won = super().open(openings, by=by)
        self.openers += [by] * len(won)
        return won


def test_an_instance_with_older_time_zone_rules_opens_nothing(stage):
    ledger = Witnessed(stage.now)
    ledger.tables = stage.ledger.tables
    stage.configure(sharding_total_count=2)
    stage.node("older", ledger=ledger, tzdata="2026a")
    stage.play(7)
    stage.node("newer", ledger=ledger, tzdata="2026b")
    stage.play(14)
    assert owned(stage) == {"older": 1, "newer": 1}
    assert ledger.openers == ["older"] * 3 + ["newer"] * 7


@pytest.mark.parametrize("why", ["holding", "draining"])
def test_an_instance_with_newer_time_zone_rules_that_starts_nothing_keeps_nobody_from_opening(stage, why):
    ledger = Witnessed(stage.now)
    ledger.tables = stage.ledger.tables
    stage.configure()
    stage.node("older", ledger=ledger, tzdata="2026a")
    stage.play(7)
    newer = stage.node("newer", ledger=ledger, tzdata="2026b")
    if why == "holding":
        newer.clock_offset = -60
    else:
        newer.node.drain()
    stage.play(14)
    assert set(ledger.openers) == {"older"}
    assert states(stage) == {FireState.SUCCEEDED: 10}


class Broken(MemoryLedger):
    """Finds fires of one job in itself that cannot be there."""

    def open(self, openings, *, by):
        if any(opening.job.name == "broken" for opening in openings):
            self.refusals = getattr(self, "refusals", 0) + 1
            raise BrokenLedger("twice")
        return super().open(openings, by=by)


def test_a_job_that_cannot_be_opened_keeps_no_other_back_and_is_said_once_for_each_fire_time(stage, caplog):
    ledger = Broken(stage.now)
    ledger.tables = stage.ledger.tables
    stage.configure()
    stage.configure(name="broken")
    stage.node("a", ledger=ledger)
    stage.play(11)
    assert states(stage) == {FireState.SUCCEEDED: 5}
    assert caplog.text.count("broken cannot be opened") == 5


class Announced(MemoryLedger):
    """Has somebody act after each reading of the instances that have joined."""

    def joined(self):
        joined = super().joined()
        self.then()
        return joined


def test_an_instance_that_registers_while_another_reads_is_not_taken_for_dead(stage):
    ledger = Announced(stage.now)
    ledger.then = lambda: None
    ledger.tables = stage.ledger.tables
    stage.configure()
    a = stage.node("a", ledger=ledger)
    stage.play(8)
    b = stage.node("b")
    b.frozen = True
    ledger.then = lambda: [b.node.tick() for _ in range(3)]
    a.membership.wake()
    a.node.tick()
    ledger.then = lambda: None
    b.frozen = False
    stage.play(3)
    assert (a.id, b.id) == ("a", "b")


def test_a_drain_that_could_not_be_told_at_once_is_told_later(stage):
    stage.configure(sharding_total_count=4)
    a = stage.node("a")
    stage.node("b")
    stage.play(7)
    register, failed = a.membership._registry.register, []

    def fail_once(instance):
        if not failed:
            failed.append(instance)
            raise RegistryUnavailable("away")
        register(instance)

    a.membership._registry.register = fail_once
    a.node.drain()
    stage.play(3)
    assert failed
    assert a.node.is_drained()
    assert owned(stage) == {"b": 4}
