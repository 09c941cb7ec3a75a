from datetime import UTC, datetime, timedelta
from time import perf_counter

import pytest

from scheduling.domain.fire import FireState, Reason
from scheduling.domain.job import FIRE_ALL_MOST, Job, Misfire
from scheduling.domain.misfire import COUNTED_AT_MOST, missed_between, opening
from scheduling.domain.trigger import CronTrigger, DateTrigger, IntervalTrigger, ManualTrigger

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ASKED_AT_MOST = 5_000
EVERY_SECOND = CronTrigger(expression="* * * * * ?", time_zone="UTC")


def after(**delta):
    return START + timedelta(**delta)


def job(misfire, trigger=None):
    return Job(name="job", handler="job", misfire=misfire, trigger=trigger or IntervalTrigger(seconds=10, anchor=START))


@pytest.mark.parametrize("misfire", Misfire)
def test_a_fire_time_opened_before_the_next_one_is_due_is_not_late(misfire):
    opened = opening(job(misfire), START, after(seconds=19, milliseconds=999))
    assert (opened.fires, opened.missed, opened.counted_to) == ((after(seconds=10),), None, after(seconds=10))


@pytest.mark.parametrize("misfire", Misfire)
def test_nothing_is_opened_before_it_is_due(misfire):
    assert opening(job(misfire), START, after(seconds=9, milliseconds=999)) is None
    assert opening(job(misfire, ManualTrigger()), START, after(days=9)) is None


def test_skip_leaves_what_is_late_to_one_row():
    opened = opening(job(Misfire.SKIP), START, after(seconds=35))
    assert opened.fires == (after(seconds=30),)
    missed = opened.missed
    assert (missed.count, missed.first, missed.last) == (2, after(seconds=10), after(seconds=20))
    assert (missed.state, missed.reason) == (FireState.SKIPPED, Reason.NOBODY_WAS_UP)


def test_a_fire_time_is_late_after_sixty_seconds_even_if_the_next_is_far():
    daily = IntervalTrigger(seconds=86_400, anchor=START)
    in_time = opening(job(Misfire.SKIP, daily), START, after(days=1, seconds=59))
    late = opening(job(Misfire.SKIP, daily), START, after(days=1, seconds=60))
    assert in_time.fires == (after(days=1),)
    assert (late.fires, late.missed.count, late.counted_to) == ((), 1, after(days=1))


def test_fire_once_runs_the_latest_and_coalesces_the_others_into_it():
    opened = opening(job(Misfire.FIRE_ONCE), START, after(hours=1, seconds=5))
    assert opened.fires == (after(hours=1),)
    assert (opened.missed.state, opened.missed.count) == (FireState.COALESCED, 359)


def test_fire_once_runs_a_date_that_passed_while_nobody_was_up():
    opened = opening(job(Misfire.FIRE_ONCE, DateTrigger(at=after(days=1))), START, after(days=9))
    assert (opened.fires, opened.missed) == ((after(days=1),), None)


def test_fire_all_runs_at_most_a_hundred_and_one_row_stands_for_the_rest():
    opened = opening(job(Misfire.FIRE_ALL), START, after(hours=2))
    assert len(opened.fires) == FIRE_ALL_MOST
    assert opened.fires[-1] == after(hours=2)
    assert opened.missed.count == 720 - FIRE_ALL_MOST
    assert opened.missed.last == opened.fires[0] - timedelta(seconds=10)
    assert (opened.missed.state, opened.missed.reason) == (FireState.SKIPPED, Reason.TOO_OLD)


def test_fire_all_runs_nothing_older_than_a_day():
    six_hourly = IntervalTrigger(seconds=6 * 3600, anchor=START)
    opened = opening(job(Misfire.FIRE_ALL, six_hourly), START, after(days=3))
    assert opened.fires == tuple(after(hours=hours) for hours in (48, 54, 60, 66, 72))
    assert opened.missed.count == 7


@pytest.mark.parametrize("misfire", Misfire)
def test_a_year_of_an_every_second_job_is_one_row_that_counts_to_its_limit(misfire):
    opened = opening(job(misfire, CronTrigger(expression="* * * * * ?")), START, after(days=365))
    assert opened.counted_to == after(days=365)
    assert opened.missed.count == COUNTED_AT_MOST + 1
    assert opened.missed.first == after(seconds=1)


class Counting:
    """Fires every second, and is not asked for each of them."""

    def __init__(self):
        self.asked = 0

    def next(self, after):
        self.asked += 1
        assert self.asked <= ASKED_AT_MOST
        return after.replace(microsecond=0) + timedelta(seconds=1)


@pytest.mark.parametrize("misfire", Misfire)
def test_for_a_year_of_every_second_the_trigger_is_not_asked_thirty_million_times(misfire):
    assert opening(job(misfire, Counting()), START, after(days=365)).counted_to == after(days=365)


def test_what_was_due_under_an_old_trigger_is_one_row():
    trigger = IntervalTrigger(seconds=10, anchor=START)
    missed = missed_between(trigger, START, after(seconds=25), Reason.EDITED)
    assert (missed.count, missed.last, missed.reason) == (2, after(seconds=20), Reason.EDITED)
    assert missed_between(trigger, START, after(seconds=5), Reason.EDITED) is None


@pytest.mark.parametrize("misfire", Misfire)
@pytest.mark.parametrize("trigger", [EVERY_SECOND, IntervalTrigger(seconds=1, anchor=START)])
def test_an_outage_of_thirty_days_of_a_job_of_every_second_is_one_row_and_takes_less_than_a_second(misfire, trigger):
    now = after(days=30)
    begun_at = perf_counter()
    opened = opening(job(misfire, trigger), START, now)
    assert perf_counter() - begun_at < 1
    assert opened.counted_to == now
    assert len(opened.fires) <= FIRE_ALL_MOST
    assert opened.missed.count == COUNTED_AT_MOST + 1  # "more than"
    assert opened.missed.first == after(seconds=1)
    assert opened.missed.last == opened.fires[0] - timedelta(seconds=1)
