"""Daylight saving: what fires where a zone's clock jumps, watched minute by minute."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.domain.trigger import CronTrigger, fire_times_between, last_fire_time, last_fire_times, next_fire_times

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SHIFTS = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1)),
    ("America/New_York", datetime(2026, 3, 8, 7)),
    ("America/New_York", datetime(2026, 11, 1, 6)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30)),
    ("America/Sao_Paulo", datetime(2017, 10, 15, 3)),
    ("America/Sao_Paulo", datetime(2018, 2, 18, 2)),
    ("America/St_Johns", datetime(2010, 3, 14, 3, 31)),
    ("America/St_Johns", datetime(2010, 11, 7, 2, 31)),
    ("Pacific/Apia", datetime(2011, 12, 30, 10)),
    ("Pacific/Apia", datetime(2021, 4, 3, 14)),
    ("Pacific/Kwajalein", datetime(1993, 8, 21, 12)),
    ("Asia/Kathmandu", datetime(1985, 12, 31, 18, 30)),
    ("Asia/Shanghai", datetime(1988, 4, 16, 18)),
    ("Africa/Casablanca", datetime(2026, 2, 15, 2)),
    ("Europe/Dublin", datetime(2026, 10, 25, 1)),
    ("Antarctica/Troll", datetime(2026, 3, 29, 1)),
]


def fires(expression: str, zone: str, after: str, count: int, dst: str = "once") -> list[str]:
    return [
        f"{time:%m-%d %H:%M}"
        for time in next_fire_times(expression, zone, aware(datetime.fromisoformat(after)), count, dst)
    ]


def test_a_fixed_time_in_a_gap_fires_at_the_end_of_the_gap():
    assert fires("0 30 2 * * ?", "Europe/Berlin", "2026-03-28T00:00:00", 3) == [
        "03-28 01:30",
        "03-29 01:00",
        "03-30 00:30",
    ]


def test_several_fixed_times_in_a_gap_and_one_at_its_end_fire_once_together():
    assert fires("0 0,10,50 2,3 * * ?", "Europe/Berlin", "2026-03-29T00:00:00", 3) == [
        "03-29 01:00",
        "03-29 01:10",
        "03-29 01:50",
    ]


def test_a_fixed_time_that_comes_twice_fires_in_the_first_pass():
    expected = ["10-25 00:30", "10-26 01:30"]
    assert fires("0 30 2 * * ?", "Europe/Berlin", "2026-10-24T12:00:00", 2) == expected
    assert fires("0 30 2 * * ?", "Europe/Berlin", "2026-10-25T01:10:00", 1) == expected[1:]


def test_an_interval_skips_a_gap_and_fires_in_both_passes():
    assert fires("0 0/30 2-3 * * ?", "Europe/Berlin", "2026-03-28T12:00:00", 2) == ["03-29 01:00", "03-29 01:30"]
    assert fires("0 0/30 2 * * ?", "Europe/Berlin", "2026-10-24T12:00:00", 5) == [
        "10-25 00:00",
        "10-25 00:30",
        "10-25 01:00",
        "10-25 01:30",
        "10-26 01:00",
    ]


def test_quartz_skips_a_gap_and_fires_only_in_the_second_pass():
    assert fires("0 30 2 * * ?", "Europe/Berlin", "2026-03-28T12:00:00", 1, "quartz") == ["03-30 00:30"]
    assert fires("0 0/30 2 * * ?", "Europe/Berlin", "2026-10-24T12:00:00", 2, "quartz") == [
        "10-25 01:00",
        "10-25 01:30",
    ]


def test_a_day_that_a_zone_skipped_fires_at_the_end_of_the_gap():
    assert fires("0 0 12 30 12 ?", "Pacific/Apia", "2011-12-01T00:00:00", 1) == ["12-30 10:00"]
    assert fires("0 0 12 30 12 ?", "Pacific/Apia", "2011-12-01T00:00:00", 1, "quartz") == ["12-29 22:00"]


def aware(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC)


def shown(instant: datetime, zone: str) -> datetime:
    return aware(instant).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


CLOCKS = {
    "0 0/20 * * * ?": (True, lambda wall: wall.minute % 20 == 0),
    "0 15 0-23 * * ?": (True, lambda wall: wall.minute == 15),
    "0 0,30 0,1,2,3,23 * * ?": (False, lambda wall: wall.minute in (0, 30) and wall.hour in (0, 1, 2, 3, 23)),
    "0 5,10,20 1,2,12 * * ?": (False, lambda wall: wall.minute in (5, 10, 20) and wall.hour in (1, 2, 12)),
}


@pytest.mark.parametrize("expression", CLOCKS)
@pytest.mark.parametrize(("zone", "shift"), SHIFTS)
def test_around_a_shift_fire_times_are_those_that_a_watch_on_the_clock_sees(zone, shift, expression):
    in_intervals, matches = CLOCKS[expression]
    begin = shift - timedelta(hours=30)
    instants = [begin + MINUTE * count for count in range(60 * 60)]
    walls = [shown(instant, zone) for instant in instants]
    gap_end = next(
        (now for (before, wall), now in zip(pairwise(walls), instants[1:], strict=True) if wall - before > MINUTE), None
    )
    seen = [(wall, instant) for wall, instant in zip(walls, instants, strict=True) if matches(wall)]
    first_pass, last_pass = dict(reversed(seen)), dict(seen)
    named = (walls[0] + MINUTE * count for count in range((walls[-1] - walls[0]) // MINUTE + 1))
    fixed = {first_pass.get(wall, gap_end) for wall in named if matches(wall)}
    once = {instant for _, instant in seen} if in_intervals else fixed

    for dst, expected in (("once", once), ("quartz", set(last_pass.values()))):
        trigger = CronTrigger(expression=expression, time_zone=zone, dst=dst)
        times = fire_times_between(trigger, aware(begin - SECOND), aware(instants[-1]), 1_000)
        assert times == [aware(instant) for instant in sorted(expected)], dst


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(SHIFTS),
    st.sampled_from(["0 0/20 * * * ?", "0 30 0,1,2,3 * * ?", "0 0 0 * * ?", "7/20 59 1-2 ? * *", "0 0 12 L * ?"]),
    st.sampled_from(["once", "quartz"]),
    st.integers(-30 * 3600, 30 * 3600),
    st.integers(0, 3600),
)
def test_the_next_fire_time_does_not_depend_on_where_one_asks_before_it(shift, expression, dst, offset, later):
    zone, instant = shift
    trigger = CronTrigger(expression=expression, time_zone=zone, dst=dst)
    after = instant.replace(tzinfo=UTC) + timedelta(seconds=offset)
    first = trigger.next(after)
    between = after + timedelta(seconds=later)
    assert first is not None
    assert first > after
    if between < first:
        assert trigger.next(between) == first
    else:
        assert trigger.next(between) in next_fire_times(expression, zone, first, 200, dst)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(SHIFTS),
    st.sampled_from(["0 0/20 * * * ?", "0 30 1,2,3 * * ?", "50/20 59 1-2 ? * *", "7 7 7 * * ?"]),
    st.sampled_from(["once", "quartz"]),
    st.integers(-86_400, 86_400),
    st.integers(0, 20_000_000),
)
def test_the_last_fire_time_is_the_end_of_all_of_them(shift, expression, dst, offset, millis):
    zone, instant = shift
    trigger = CronTrigger(expression=expression, time_zone=zone, dst=dst)
    after = instant.replace(tzinfo=UTC) + timedelta(seconds=offset)
    until = after + timedelta(milliseconds=millis)
    times = fire_times_between(trigger, after, until, 1_000)
    assert last_fire_time(trigger, after, until) == (times[-1] if times else None)
    assert last_fire_times(trigger, after, until, 7) == times[-7:]
