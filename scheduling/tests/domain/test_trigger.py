"""Triggers: the next fire time, daylight saving, and counting fire times without walking through them."""

from contextlib import suppress
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.domain.errors import InvalidCronExpression, InvalidJob, UnknownTimeZone
from scheduling.domain.trigger import (
    CronTrigger,
    DateTrigger,
    IntervalTrigger,
    ManualTrigger,
    Trigger,
    fire_times_between,
    last_fire_time,
    last_fire_times,
    next_fire_times,
)

SECOND = timedelta(seconds=1)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_fire_times_are_aware_utc_and_strictly_after():
    times = next_fire_times("0 0 12 * * ?", "Asia/Shanghai", utc("2026-01-01T04:00:00"), 2)
    assert times == [utc("2026-01-02T04:00:00"), utc("2026-01-03T04:00:00")]
    assert all(time.tzinfo is UTC for time in times)


def test_a_fraction_of_a_second_before_a_fire_time_is_before_it():
    trigger = CronTrigger(expression="* * * * * ?")
    assert trigger.next(NEW_YEAR - timedelta(microseconds=1)) == NEW_YEAR
    assert trigger.next(NEW_YEAR + timedelta(microseconds=1)) == NEW_YEAR + SECOND


def test_after_may_be_in_any_zone():
    after = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=8)))
    assert next_fire_times("0 0 12 * * ?", "Asia/Shanghai", after, 1) == [utc("2026-01-02T04:00:00")]


def test_a_search_stops_a_hundred_years_ahead():
    assert next_fire_times("0 0 0 1 1 ? 2126", "UTC", utc("2026-05-01T00:00:00"), 1) == [utc("2126-01-01T00:00:00")]
    assert next_fire_times("0 0 0 1 1 ? 2127", "UTC", utc("2026-05-01T00:00:00"), 1) == []
    assert next_fire_times("0 0 0 1 1 ? 2126/1", "UTC", utc("2026-05-01T00:00:00"), 8) == [utc("2126-01-01T00:00:00")]


def test_the_ends_of_the_calendar_are_no_obstacle():
    cron = CronTrigger(expression="0 0 0 1 1 ?", time_zone="Asia/Shanghai")
    interval = IntervalTrigger(seconds=5, anchor=NEW_YEAR)
    for zone in (timezone(timedelta(hours=offset)) for offset in (-14, 0, 14)):
        assert cron.next(datetime.min.replace(tzinfo=zone)) == utc("1969-12-31T16:00:00")
        assert cron.next(datetime.max.replace(tzinfo=zone)) is None
        assert interval.next(datetime.min.replace(tzinfo=zone)) == NEW_YEAR + 5 * SECOND
    assert interval.next(datetime.max.replace(tzinfo=UTC)) is None


def test_no_fire_times_are_asked_for():
    assert next_fire_times("* * * * * ?", "UTC", NEW_YEAR, 0) == []


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "Europe/Berlln",
        "Mars",
        "America",
        "../etc/passwd",
        "/etc/localtime",
        "a\0b",
        "x" * 9_000,
        "\ud800",
        "right/UTC",
        "localtime",
        "tzdata.zi",
        "UTC ",
        None,
        5,
        ["UTC"],
    ],
)
def test_an_unknown_time_zone_is_named(zone):
    with pytest.raises(UnknownTimeZone) as caught:
        CronTrigger(expression="* * * * * ?", time_zone=zone)
    assert str(zone)[:10].encode("unicode_escape").decode() in str(caught.value)
    assert len(str(caught.value)) < 200


def test_an_unknown_daylight_saving_policy_is_named():
    with pytest.raises(InvalidJob, match="vixie is not a daylight saving policy: choose once or quartz"):
        next_fire_times("* * * * * ?", "UTC", NEW_YEAR, 1, "vixie")


def test_an_invalid_expression_is_refused_when_the_trigger_is_made():
    with pytest.raises(InvalidCronExpression):
        CronTrigger(expression="0 0 * * *")


def test_a_time_without_a_zone_is_refused():
    for trigger in (CronTrigger(expression="* * * * * ?"), IntervalTrigger(seconds=1, anchor=NEW_YEAR)):
        with pytest.raises(InvalidJob, match="2026-01-01T00:00:00 has no time zone"):
            trigger.next(datetime(2026, 1, 1))
    with pytest.raises(InvalidJob, match="has no time zone"):
        DateTrigger(at=datetime(2026, 1, 1))


@settings(max_examples=200, deadline=None)
@given(st.text(), st.text(), st.datetimes(timezones=st.timezones()), st.integers(-1, 3), st.text())
def test_any_input_raises_only_value_errors(expression, zone, after, count, dst):
    for line, name in ((expression, "UTC"), ("0 0 12 L * ?", zone), ("0 0 12 29 2 ?", "Asia/Tehran")):
        for policy in ("once", dst):
            with suppress(ValueError):
                next_fire_times(line, name, after, count, policy)


def test_an_interval_counts_from_its_anchor_at_a_fixed_rate():
    trigger = IntervalTrigger(seconds=90, anchor=NEW_YEAR + timedelta(microseconds=7))
    assert trigger.anchor == NEW_YEAR
    assert trigger.next(NEW_YEAR - timedelta(days=1)) == NEW_YEAR + 90 * SECOND
    assert trigger.next(NEW_YEAR) == NEW_YEAR + 90 * SECOND
    assert trigger.next(NEW_YEAR + 90 * SECOND) == NEW_YEAR + 180 * SECOND
    assert trigger.next(NEW_YEAR + 179 * SECOND) == NEW_YEAR + 180 * SECOND


@pytest.mark.parametrize("seconds", [0, -1, 366 * 86_400 + 1, 1.5, True, "60", None])
def test_an_interval_outside_a_second_and_366_days_is_refused(seconds):
    with pytest.raises(InvalidJob, match="is not a whole number from 1 to 31622400"):
        IntervalTrigger(seconds=seconds, anchor=NEW_YEAR)


def test_a_date_fires_once():
    trigger = DateTrigger(at=datetime(2026, 1, 1, 8, tzinfo=ZoneInfo("Asia/Shanghai")))
    assert trigger.next(NEW_YEAR - SECOND) == NEW_YEAR
    assert trigger.next(NEW_YEAR) is None


def test_a_date_is_a_whole_second():
    with pytest.raises(InvalidJob, match="is not a whole second"):
        DateTrigger(at=NEW_YEAR + timedelta(microseconds=1))


def test_a_manual_trigger_never_fires():
    assert ManualTrigger().next(NEW_YEAR) is None


def test_triggers_are_values():
    assert CronTrigger(expression="* * * * * ?") == CronTrigger(expression="* * * * * ?", time_zone="UTC", dst="once")
    assert len({ManualTrigger(), ManualTrigger(), DateTrigger(at=NEW_YEAR)}) == 2
    with pytest.raises(FrozenInstanceError):
        DateTrigger(at=NEW_YEAR).at = NEW_YEAR


class Counting:
    """Counts how often its trigger is asked."""

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger
        self.asked = 0

    def next(self, after: datetime) -> datetime | None:
        self.asked += 1
        return self.trigger.next(after)


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (CronTrigger(expression="* * * * * ?"), NEW_YEAR + timedelta(days=365)),
        (CronTrigger(expression="0 0 0 3 2 ?"), utc("2026-02-03T00:00:00")),
        (IntervalTrigger(seconds=7, anchor=NEW_YEAR), NEW_YEAR + timedelta(seconds=31_536_000 - 31_536_000 % 7)),
        (DateTrigger(at=NEW_YEAR + SECOND), NEW_YEAR + SECOND),
        (DateTrigger(at=NEW_YEAR), None),
        (CronTrigger(expression="0 0 0 1 1 ? 2027/7"), NEW_YEAR + timedelta(days=365)),
        (CronTrigger(expression="0 0 0 2 1 ? 2027/7"), None),
        (ManualTrigger(), None),
    ],
)
def test_the_last_fire_time_of_a_year_is_found_in_a_few_steps(trigger, expected):
    counting = Counting(trigger)
    assert last_fire_time(counting, NEW_YEAR, NEW_YEAR + timedelta(days=365)) == expected
    assert counting.asked <= 30


@pytest.mark.parametrize("expression", ["* * * * * ?", "*/5 * * * * ?", "0 * * * * ?", "0 0 * * * ?"])
def test_the_last_hundred_of_a_year_are_found_in_a_few_steps_each(expression):
    counting = Counting(CronTrigger(expression=expression))
    until = NEW_YEAR + timedelta(days=365)
    times = last_fire_times(counting, NEW_YEAR, until, 100)
    assert len(times) == 100
    assert times == fire_times_between(counting.trigger, times[0] - SECOND, until, 1_000)
    assert counting.asked <= 600


def test_fire_times_between_two_times_include_the_second_and_are_limited():
    trigger = IntervalTrigger(seconds=60, anchor=NEW_YEAR)
    until = NEW_YEAR + timedelta(minutes=3)
    assert fire_times_between(trigger, NEW_YEAR, until, 10) == [NEW_YEAR + timedelta(minutes=m) for m in (1, 2, 3)]
    assert fire_times_between(trigger, NEW_YEAR, until, 2) == [NEW_YEAR + timedelta(minutes=m) for m in (1, 2)]
    assert fire_times_between(trigger, NEW_YEAR, until, 0) == []
    assert fire_times_between(ManualTrigger(), NEW_YEAR, until, 10) == []


def test_asking_for_the_next_fire_time_is_cheap():
    trigger = CronTrigger(expression="*/2 * * * * ?", time_zone="Europe/Berlin")
    after = utc("2026-10-24T20:00:00")

    def microseconds() -> float:
        begun = process_time()
        assert len(fire_times_between(trigger, after, after + timedelta(days=1), 2_000)) == 2_000
        return (process_time() - begun) / 2_000 * 1e6

    assert min(microseconds() for _ in range(3)) < 200
