"""Quartz cron expressions, read as strictly as Quartz documents them, and the walk over the wall clock they name.

`croniter` walks the clock of a day over plain numbers; the days, the years and whatever Quartz adds to them are ours.
"""

import copy
import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import lru_cache

from croniter import croniter

from scheduling.domain.cron_advice import MACROS, as_ascii, excerpt, from_crontab
from scheduling.domain.cron_days import DayTable, days_of_month, days_of_week
from scheduling.domain.cron_fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    FIELDS,
    HOURS,
    MINUTES,
    MONTH,
    SECONDS,
    YEAR,
    Field,
    parse_numbers,
    refuse,
)
from scheduling.domain.errors import InvalidCronExpression
from scheduling.domain.errors import gettext_noop as _

MOST_CHARACTERS = 65_536
"""The longest text that is read: the worst of this size takes 15 ms."""

LINE_SHOWN = 80
A_LINE = "0 0 12 * * ?"
ANY_DATE = datetime(2000, 1, 1)
STRANGE = re.compile(r"[^!-~]")
COMMAND = re.compile(r"/[A-Za-z._]|[.~$]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DayClock:
    """The times of day at which an expression fires: the first, the last, and what walks from one to the next."""

    first: time
    last: time
    walker: "croniter[datetime]"

    def next(self, wall: datetime) -> datetime:
        """Return the first of these times after `wall` on its day; `wall` is before the last of them.

        A walker keeps where it is, so each step takes a copy: threads share the expression.
        """
        following: datetime = copy.copy(self.walker).get_next(datetime, start_time=wall)
        return following


@dataclass(frozen=True, slots=True, kw_only=True)
class CronExpression:
    """A valid expression. Wall times are naive, in whatever zone the reader of the clock is in."""

    text: str
    in_intervals: bool
    clock: DayClock = field(compare=False, repr=False)
    days: DayTable = field(compare=False, repr=False)
    months: frozenset[int] = field(compare=False, repr=False)
    years: frozenset[int] = field(compare=False, repr=False)

    def next_wall_time(self, wall: datetime, last_year: int) -> datetime | None:
        """Return the first wall time after `wall` that all fields match; None if there is none up to `last_year`."""
        if wall.time() < self.clock.last and wall.year <= last_year and self._fires_on(wall):
            return self.clock.next(wall)
        day = next(self._days_after(wall, last_year), None)
        return datetime.combine(day, self.clock.first) if day else None

    def _fires_on(self, day: date) -> bool:
        return day.month in self.months and day.year in self.years and day.day in self._days(day.year, day.month)

    def _days_after(self, after: date, last_year: int) -> Iterator[date]:
        for count in range(after.year * 12 + after.month - 1, last_year * 12 + 12):
            year, month = count // 12, count % 12 + 1
            if month in self.months and year in self.years:
                for day in self._days(year, month):
                    if (year, month, day) > (after.year, after.month, after.day):
                        yield date(year, month, day)

    def _days(self, year: int, month: int) -> tuple[int, ...]:
        return self.days[monthrange(year, month)]


def parse(text: str) -> CronExpression:
    """Return the expression that `text` writes; raise `InvalidCronExpression` that names the field and the fix.

    The source of the rules is the documentation of Quartz 2.3 (`org.quartz.CronExpression`): six or seven fields.
    """
    if not isinstance(text, str):
        raise InvalidCronExpression(_("a cron expression is a text, not %(type)s"), type=type(text).__name__)
    if len(text) > MOST_CHARACTERS:
        raise InvalidCronExpression(
            _("the cron expression has %(count)d characters: at most %(most)d are read"),
            count=len(text),
            most=MOST_CHARACTERS,
        )
    return _parse(text)


@lru_cache(maxsize=1024)
def _parse(text: str) -> CronExpression:
    fields = re.split(r"[ \t]+", text.strip(" \t\r\n"))
    _check_characters(text, fields)
    _check_count(fields)
    clock = _day_clock(*fields[:3])
    day_of_month = None if fields[3] == "?" else days_of_month(fields[3])
    months = parse_numbers(MONTH, fields[4])
    day_of_week = None if fields[5] == "?" else days_of_week(fields[5])
    return CronExpression(
        text=text,
        in_intervals=any(sign in part for part in fields[:3] for sign in "*-/"),
        clock=clock,
        days=_only_one(fields, day_of_month, day_of_week),
        months=months,
        years=parse_numbers(YEAR, fields[6] if len(fields) == 7 else "*"),
    )


def _day_clock(seconds: str, minutes: str, hours: str) -> DayClock:
    second = sorted(parse_numbers(SECONDS, seconds))
    minute = sorted(parse_numbers(MINUTES, minutes))
    hour = sorted(parse_numbers(HOURS, hours))
    line = f"{_listed(minute, 60)} {_listed(hour, 24)} * * * {_listed(second, 60)}"
    return DayClock(
        first=time(hour[0], minute[0], second[0]),
        last=time(hour[-1], minute[-1], second[-1]),
        walker=croniter(line, ANY_DATE, ret_type=datetime),
    )


def _listed(numbers: list[int], all_of_them: int) -> str:
    return "*" if len(numbers) == all_of_them else ",".join(map(str, numbers))


def _only_one(fields: list[str], day_of_month: DayTable | None, day_of_week: DayTable | None) -> DayTable:
    if day_of_month is not None and day_of_week is not None:
        raise _both_days(fields)
    days = day_of_month or day_of_week
    if days is None:
        raise refuse(
            DAY_OF_WEEK,
            _("field 4 (day of month) and field 6 (day of week) are both ?. Only one of them may be: write %(fix)s"),
            fix=_line(fields, DAY_OF_MONTH, "*"),
        )
    return days


def _both_days(fields: list[str]) -> InvalidCronExpression:
    without_week, without_month = _line(fields, DAY_OF_WEEK, "?"), _line(fields, DAY_OF_MONTH, "?")
    if "*" in (fields[3], fields[5]):
        fix = without_week if fields[5] == "*" else without_month
        message = _(
            "field 4 (day of month) is %(value)s and field 6 (day of week) is %(other)s. "
            "One of them must be ?: write %(fix)s"
        )
        return refuse(DAY_OF_MONTH, message, value=excerpt(fields[3]), other=excerpt(fields[5]), fix=fix)
    message = _(
        "field 4 (day of month) is %(value)s and field 6 (day of week) is %(other)s. "
        "One of them must be ?: write %(fix)s or %(other_fix)s, or make a job of each"
    )
    params = {"fix": without_week, "other_fix": without_month}
    return refuse(DAY_OF_MONTH, message, value=excerpt(fields[3]), other=excerpt(fields[5]), **params)


def _line(fields: list[str], changed: Field, value: str) -> str:
    return excerpt(" ".join([*fields[: changed.number - 1], value, *fields[changed.number :]]), LINE_SHOWN)


def _check_characters(text: str, fields: list[str]) -> None:
    for place, part in zip(FIELDS, fields, strict=False):
        if strange := STRANGE.search(part):
            fix = as_ascii(text)
            message = _("field %(number)d (%(name)s): %(value)s has the character %(character)s: use plain ASCII ones")
            if fix.isascii() and fix.isprintable() and _can_be_offered(fix):
                message = _("field %(number)d (%(name)s): %(value)s has the character %(character)s: write %(fix)s")
            character = f"U+{ord(strange[0]):04X}"
            raise refuse(place, message, value=excerpt(part), character=character, fix=fix[:LINE_SHOWN])


def _check_count(fields: list[str]) -> None:
    if fields[0].startswith("@"):
        message = _("field %(number)d (%(name)s): %(value)s is a word of crontab, not of Quartz: write %(fix)s")
        raise refuse(SECONDS, message, value=excerpt(fields[0]), fix=MACROS.get(fields[0].lower(), A_LINE))
    if len(fields) == 5 or (len(fields) > 5 and COMMAND.search(fields[5])):
        _offer_crontab(fields)
    if len(fields) < 6:
        message = _(
            "field %(number)d (%(name)s) is missing: write six or seven fields: "
            "seconds minutes hours day-of-month month day-of-week [year], as in %(fix)s"
        )
        raise refuse(FIELDS[len(fields) if fields[0] else 0], message, fix=A_LINE)
    if len(fields) > 7:
        message = _("field 8 is one too many: %(value)s: remove what follows field %(number)d (%(name)s)")
        raise refuse(YEAR, message, value=excerpt(fields[7]))


def _offer_crontab(fields: list[str]) -> None:
    lines = from_crontab(fields[:5])
    if not all(map(_can_be_offered, lines)):
        return
    message = _("field 1 (seconds) is missing; this looks like a crontab line: write %(fix)s")
    if len(lines) == 2:
        message = _(
            "field 1 (seconds) is missing; this looks like a crontab line for either of two days: "
            "make two jobs: %(fix)s and %(other_fix)s"
        )
    raise refuse(SECONDS, message, fix=lines[0], other_fix=lines[-1])


def _can_be_offered(line: str) -> bool:
    """Tell whether `line` is valid and short enough to be shown whole."""
    try:
        return len(line) <= LINE_SHOWN and bool(_parse(line))
    except InvalidCronExpression:
        return False
