"""What an instance makes of a clock that is off, and of a ledger that has gone back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from scheduling.domain.errors import LedgerUnavailable
from scheduling.domain.fire import Attempt, FireState
from scheduling.domain.instance import Holding, InstanceState
from scheduling.domain.retry import Retry
from scheduling.domain.trigger import CronTrigger
from scheduling.ports.ledger import Cursor, Cursors
from scheduling.ports.memory_ledger import MemoryLedger
from scheduling.ports.memory_registry import MemoryRegistry
from scheduling.runtime.guard import LedgerGuard
from scheduling.runtime.leap import BELIEVED_AFTER_SECONDS, Leap
from scheduling.runtime.offset import LIMIT_SECONDS, Offset
from scheduling.tests.runtime.stage import Stage, handler, owned, states

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
AT_NOON = NOON.timestamp()


@pytest.fixture
def stage():
    return Stage()


def read(offset, ahead, way=0.0):
    offset.note(AT_NOON + ahead - way, NOON, AT_NOON + ahead + way)
    return offset.is_off


@pytest.mark.parametrize("ahead", [0, 4.9, -4.9])
def test_a_clock_within_the_limit_is_trusted(ahead):
    offset = Offset()
    assert not read(offset, ahead)
    assert offset.seconds == round(ahead, 1)


@pytest.mark.parametrize("ahead", [5.2, -5.2, 86_400, -50])
def test_a_clock_beyond_the_limit_is_off_until_two_readings_say_otherwise(ahead):
    offset = Offset()
    assert [read(offset, each) for each in (ahead, 0, ahead, 0, 0, 0)] == [True, True, True, True, False, False]


def test_an_answer_that_took_long_proves_nothing():
    offset = Offset()
    assert not read(offset, LIMIT_SECONDS + 3, way=3.5)
    assert read(offset, LIMIT_SECONDS + 3, way=2.5)


def test_an_offset_is_shown_as_before_as_long_as_late_answers_leave_room_for_it():
    offset, shown = Offset(), []
    for ahead, way in ((0.3, 0), (1.2, 1.2), (-0.9, 1.2), (1.2, 0.3)):
        read(offset, ahead, way)
        shown.append(offset.seconds)
    assert shown == [0.3, 0.3, 0.3, 0.9]


def guard_that_reads(*cursors):
    guard = LedgerGuard(lambda: 0.0, lambda: AT_NOON)
    for cursor in cursors:
        guard.read(lambda cursor=cursor: Cursors(now=NOON, jobs={"job": cursor}))
    return guard


@pytest.mark.parametrize("older", [{"revision": 2}, {"counted_to": NOON - timedelta(seconds=2)}])
def test_a_smaller_cursor_or_revision_than_before_is_a_ledger_that_went_back(older):
    cursor = Cursor(revision=3, enabled=True, counted_to=NOON)
    assert guard_that_reads(cursor, cursor).holding() is None
    assert guard_that_reads(cursor, replace(cursor, **older)).holding() is Holding.LEDGER_WENT_BACK
    assert guard_that_reads(cursor, replace(cursor, **older), cursor).holding() is Holding.LEDGER_WENT_BACK


def test_a_token_that_was_handed_out_before_is_a_ledger_that_went_back():
    guard = LedgerGuard(lambda: 0.0, lambda: AT_NOON)
    for item, token in [(0, 7), (1, 3), (0, 8)]:
        guard.note([attempt(item, token)])
    assert guard.holding() is None
    guard.note([attempt(1, 4), attempt(0, 8)])
    assert guard.holding() is Holding.LEDGER_WENT_BACK


def test_a_token_that_was_handed_out_before_keeps_all_that_was_claimed_with_it_from_starting(stage):
    stage.configure(sharding_total_count=2)
    node = stage.node("a")
    stage.play(7)
    before = list(stage.ran)
    stage.ledger.tables.items["job", 0].token = 0
    stage.play(10)
    assert node.membership.instance.holding is Holding.LEDGER_WENT_BACK
    assert stage.ran == before


def attempt(item, token):
    return Attempt(execution=token, fire=1, job="job", item=item, token=token, number=1, fire_time=NOON, run=0, total=2)


@pytest.mark.parametrize("offset", [100, -50, 86_400])
def test_an_instance_whose_clock_is_off_starts_nothing_and_its_items_go_to_others_until_it_is_right(stage, offset):
    stage.configure(sharding_total_count=4)
    first, second = stage.node("a"), stage.node("b")
    stage.play(3)
    assert owned(stage) == {"a": 2, "b": 2}
    first.clock_offset = offset
    stage.play(3)
    shown = stage.ensemble.sessions["a"].instance
    assert (shown.state, shown.holding, shown.clock_offset) == (InstanceState.HOLDING, Holding.CLOCK_IS_OFF, offset)
    assert owned(stage) == {"b": 4}
    ran = len(first.workers.lateness)
    stage.play(6)
    assert (len(first.workers.lateness), second.id) == (ran, "b")
    first.clock_offset = 0.0
    stage.play(6.5)
    assert owned(stage) == {"a": 2, "b": 2}
    assert states(stage)[FireState.SUCCEEDED] == 9


def test_nothing_fires_while_the_ledger_s_clock_is_off_and_nothing_twice_or_early_afterwards(stage):
    stage.configure()
    stage.node("a")
    stage.play(5)
    fired = len(stage.ran)
    stage.ledger.clock = lambda: stage.now() + timedelta(days=1)
    stage.play(5)
    assert len(stage.ran) == fired
    stage.ledger.clock = stage.now
    stage.play(6.5)
    assert states(stage)[FireState.SUCCEEDED] == len(stage.ran) < fired + 6
    cursor = stage.ledger.cursors().jobs["job"]
    assert stage.now() - timedelta(seconds=3) < cursor.counted_to <= stage.now()


@pytest.fixture
def leap(stage, monkeypatch):
    """Let the clock of the one machine, on which everything runs, leap."""
    ahead = timedelta()
    now = stage.now
    for each, name in ((stage, "now"), (stage.ledger, "clock")):
        monkeypatch.setattr(each, name, lambda: now() + ahead)

    def leap(days):
        nonlocal ahead
        ahead += timedelta(days=days)

    return leap


def test_tomorrow_s_work_does_not_fire_where_the_ledger_and_all_instances_have_one_clock_that_leaps(stage, leap):
    stage.configure(trigger=CronTrigger(expression="0 0 3 * * ?", time_zone="UTC"))
    first, second = stage.node("a"), stage.node("b")
    stage.play(5)
    before = stage.ledger.cursors().jobs
    leap(days=1)
    stage.play(90)
    assert first.membership.instance.holding is second.membership.instance.holding is Holding.CLOCK_LEAPT
    assert (stage.ran, stage.ledger.cursors().jobs) == ([], before)
    leap(days=-1)
    stage.play(5)
    assert first.membership.instance.holding is None
    assert (stage.ran, stage.ledger.cursors().jobs) == ([], before)


def test_a_clock_that_was_a_day_behind_and_is_set_right_is_believed_after_a_while(stage, leap):
    stage.configure()
    actor = stage.node("a")
    stage.play(3)
    leap(days=1)
    stage.play(BELIEVED_AFTER_SECONDS - 5)
    assert actor.membership.instance.holding is Holding.CLOCK_LEAPT
    ran = len(stage.ran)
    stage.play(10)
    assert actor.membership.instance.holding is None
    assert len(stage.ran) > ran


def test_a_clock_that_leaps_kills_nobody(stage, leap):
    stage.node("a")
    away = stage.node("b")
    stage.play(12)
    away.frozen = True
    del stage.ensemble.sessions["b"]
    leap(days=1)
    stage.play(30)
    assert "b" in stage.ledger.joined()
    leap(days=-1)
    stage.play(3)
    assert "b" not in stage.ledger.joined()


@pytest.mark.parametrize(("steps", "expected"), [([59], False), ([61], True), ([61, -61], False), ([-9_999], False)])
def test_only_a_step_forward_of_more_than_a_minute_is_a_leap(steps, expected):
    leap, ahead = Leap(), 0
    leap.note(7.0, NOON, 7.0)
    for n, step in enumerate(steps, start=1):
        ahead += step
        leap.note(7.0 + n, NOON + timedelta(seconds=n + ahead), 7.0 + n)
    assert leap.is_on == expected


def test_an_answer_that_came_late_makes_no_leap_of_the_next_reading():
    leap = Leap()
    leap.note(7.0, NOON, 7.0 + 9)
    leap.note(17.0, NOON + timedelta(seconds=10 + 59), 17.0)
    assert not leap.is_on


def test_an_answer_that_took_an_hour_neither_is_a_leap_nor_hides_one():
    leap = Leap()
    leap.note(7.0, NOON, 7.0)
    leap.note(8.0, NOON + timedelta(seconds=1), 8.0 + 3_600)  # stopped in between
    leap.note(3_609.0, NOON + timedelta(seconds=3_602), 3_609.0)
    assert not leap.is_on
    leap.note(3_610.0, NOON + timedelta(seconds=3_603), 3_610.0 + 3_600)
    leap.note(7_211.0, NOON + timedelta(seconds=7_204 + 61), 7_211.0)
    assert leap.is_on


def test_an_instance_that_has_seen_the_ledger_go_back_starts_nothing_until_it_is_restarted(stage):
    stage.configure()
    stage.node("a")
    stage.play(7)
    ran = len(stage.ran)
    stage.ledger.tables.jobs["job"].counted_to -= timedelta(seconds=4)
    stage.play(10)
    assert len(stage.ran) == ran
    assert stage.ensemble.sessions["a"].instance.holding is Holding.LEDGER_WENT_BACK
    stage.node("b")
    stage.play(6)
    assert owned(stage) == {"b": 1}


def test_a_clock_that_jumps_neither_prunes_nor_blocks_what_waits(stage):
    def fails(context):
        stage.ran.append(context.item)
        raise ValueError("as it should")

    stage.configure(retry=Retry(most=1, delay=1))
    actor = stage.node("a")
    actor.node._handlers = {"job": handler(fails)}
    stage.play(9)
    stage.play(2, end=False)
    assert actor.workers.attempts
    fires = len(stage.probe.fires("job"))
    stage.ledger.clock = lambda: stage.now() + timedelta(days=30)
    stage.play(90)
    assert len(stage.probe.fires("job")) >= fires
    stage.ledger.clock = stage.now
    ran = len(stage.ran)
    stage.play(60)
    assert len(stage.ran) > ran + 10


def test_a_claim_whose_answer_was_lost_is_put_back_also_while_nothing_is_started(stage):
    stage.configure()
    ledger = Unlucky(stage)
    actor = stage.node("a", ledger=ledger)
    stage.play(3)
    ledger.loses_claims = True
    stage.play(2)
    assert stage.ledger.look(["job"]).held
    actor.clock_offset = 100.0
    ledger.loses_claims = False
    stage.play(15)
    assert not stage.ledger.look(["job"]).held


@pytest.mark.parametrize("jitter", [0.002, 0.05, 0.2])
def test_a_clock_that_trembles_is_not_shown_anew_each_time(stage, monkeypatch, jitter):
    shown = []
    register = MemoryRegistry.register
    monkeypatch.setattr(MemoryRegistry, "register", lambda self, i: (shown.append(i), register(self, i))[1])
    stage.configure()
    actor = stage.node("a")
    for n in range(40):
        actor.clock_offset = 0.05 + jitter * (-1) ** n
        stage.play(0.5)
    assert len(shown) == 1


class Unlucky(MemoryLedger):
    """The stage's ledger, whose claims get no answer for a while."""

    def __init__(self, stage):
        super().__init__(lambda: stage.ledger.clock())
        self.tables, self.lock = stage.ledger.tables, stage.ledger.lock
        self.loses_claims = False

    def claim(self, executions, *, by, claim):
        attempts = super().claim(executions, by=by, claim=claim)
        if self.loses_claims:
            raise LedgerUnavailable("lost")
        return attempts

    def claimed(self, claim):
        if self.loses_claims:
            raise LedgerUnavailable("lost")
        return super().claimed(claim)
