"""The two day fields of a Quartz cron expression, `L W LW L-n L-nW #` included, as plain numbers per month."""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from scheduling.domain.cron_advice import excerpt
from scheduling.domain.cron_fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    check_counted_from_one,
    digits,
    parse_number,
    parse_numbers,
    refuse,
)
from scheduling.domain.errors import gettext_noop as _

MonthShape = tuple[int, int]
"""What `calendar.monthrange` tells of a month: the weekday of its first day (Monday is 0), and its length."""

DayTable = Mapping[MonthShape, tuple[int, ...]]
"""The days on which an expression fires, in ascending order, in each of the 28 shapes that a month can have."""

SHAPES = tuple((first, length) for first in range(7) for length in (28, 29, 30, 31))
MOST_DAYS_BEFORE_LAST = 30

LAST = re.compile(r"L(?:-(\d+))?(W)?", re.ASCII | re.IGNORECASE)
NEAREST_WEEKDAY = re.compile(r"(\d+)W", re.ASCII | re.IGNORECASE)
LAST_OF_WEEKDAY = re.compile(r"(\d+|[A-Z]{3})L", re.ASCII | re.IGNORECASE)
NTH_WEEKDAY = re.compile(r"(\d+|[A-Z]{3})#(\d+)", re.ASCII | re.IGNORECASE)


def days_of_month(text: str) -> DayTable:
    """Read field 4 into the days of each shape of month; raise `InvalidCronExpression`."""
    if match := LAST.fullmatch(text):
        before_last, nearest = _days_before_last(match[1] or "0"), match[2] is not None
        return _table(lambda shape: _one_day(shape, shape[1] - before_last, nearest=nearest))
    if match := NEAREST_WEEKDAY.fullmatch(text):
        day = parse_number(DAY_OF_MONTH, match[1])
        return _table(lambda shape: _one_day(shape, day, nearest=True))
    days = sorted(parse_numbers(DAY_OF_MONTH, text))
    return _table(lambda shape: (day for day in days if day <= shape[1]))


def days_of_week(text: str) -> DayTable:
    """Read field 6 into the days of each shape of month; raise `InvalidCronExpression`."""
    check_counted_from_one(DAY_OF_WEEK, text)
    if text.upper() == "L":
        text = "SAT"
    if match := LAST_OF_WEEKDAY.fullmatch(text):
        weekday = parse_number(DAY_OF_WEEK, match[1])
        return _table(lambda shape: _dates_of(shape, {weekday})[-1:])
    if match := NTH_WEEKDAY.fullmatch(text):
        weekday, nth = parse_number(DAY_OF_WEEK, match[1]), _nth(match[2])
        return _table(lambda shape: _dates_of(shape, {weekday})[nth - 1 : nth])
    weekdays = parse_numbers(DAY_OF_WEEK, text)
    return _table(lambda shape: _dates_of(shape, weekdays))


def _table(days: Callable[[MonthShape], Iterable[int]]) -> DayTable:
    return MappingProxyType({shape: tuple(days(shape)) for shape in SHAPES})


def _dates_of(shape: MonthShape, weekdays: Iterable[int]) -> list[int]:
    """Return the days that fall on `weekdays` (SUN is 1)."""
    first, length = shape
    return sorted(day for weekday in weekdays for day in range((weekday - 2 - first) % 7 + 1, length + 1, 7))


def _one_day(shape: MonthShape, day: int, *, nearest: bool) -> tuple[int, ...]:
    """Return `day`, or the weekday nearest to it; nothing if that is in another month.

    As in Quartz a day that the month lacks counts on into the next month, so 31W is the 30th when the day after is a
    Saturday; but from a day that the month has, the nearest weekday never leaves the month.
    """
    if nearest:
        day = _nearest_weekday(shape, day)
    return (day,) if 1 <= day <= shape[1] else ()


def _nearest_weekday(shape: MonthShape, day: int) -> int:
    first, length = shape
    weekday = (first + day - 1) % 7
    if weekday == 5:
        return day + 2 if day == 1 else day - 1
    if weekday == 6:
        return day - 2 if day == length else day + 1
    return day


def _days_before_last(text: str) -> int:
    days = digits(text)
    if days > MOST_DAYS_BEFORE_LAST:
        message = _("field %(number)d (%(name)s): L-%(value)s is before the month begins: use L-1 to L-%(high)d")
        raise refuse(DAY_OF_MONTH, message, value=excerpt(text), high=MOST_DAYS_BEFORE_LAST)
    return days


def _nth(text: str) -> int:
    nth = digits(text)
    if not 1 <= nth <= 5:
        message = _("field %(number)d (%(name)s): #%(value)s is outside #1-#5: a month has at most five of one weekday")
        raise refuse(DAY_OF_WEEK, message, value=excerpt(text))
    return nth
