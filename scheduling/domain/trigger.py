"""What tells a job's fire times: a cron expression, a fixed interval, one date, or nobody but people.

Fire times are aware, in UTC, and whole seconds. `next` is a pure function: it never asks what time it is.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from scheduling.domain.cron import CronExpression, parse
from scheduling.domain.cron_advice import excerpt
from scheduling.domain.daylight import SECOND, Rule, find_zone, next_fixed, next_interval, next_quartz
from scheduling.domain.errors import InvalidJob, UnknownTimeZone
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.numbers import check_number

YEARS_AHEAD = 100
EARLIEST = datetime(1969, 12, 1, tzinfo=UTC)
"""Before the first year that a cron expression can name."""

LATEST_YEAR = 2199
LONGEST_INTERVAL = 366 * 86_400


class Trigger(Protocol):
    """Tells the fire times of a job."""

    def next(self, after: datetime) -> datetime | None:
        """Return the first fire time strictly after `after`; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronTrigger:
    """Fires when the clock of `time_zone` shows what a Quartz cron expression names.

    `dst` says what becomes of wall times that daylight saving skips or repeats. "once": fixed times fire exactly
    once; intervals (`*`, `-` or `/` in seconds, minutes or hours) skip gaps and fire in both passes. "quartz": as
    Quartz does. Raises `InvalidCronExpression`, `UnknownTimeZone` or `InvalidJob`.
    """

    expression: str
    time_zone: str = "UTC"
    dst: str = "once"

    def __post_init__(self) -> None:
        _rule(parse(self.expression), self.dst)
        _zone(self.time_zone)

    def next(self, after: datetime) -> datetime | None:
        """Return the first fire time after `after`, in at most a hundred years; None if there is none."""
        expression = parse(self.expression)
        zone = _zone(self.time_zone)
        return _next_cron(expression, zone, _rule(expression, self.dst), after, _last_year(after, zone))


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalTrigger:
    """Fires every `seconds`, counted from `anchor` (which is not a fire time) at a fixed rate.

    The anchor's microseconds are dropped. Raises `InvalidJob`.
    """

    seconds: int
    anchor: datetime

    def __post_init__(self) -> None:
        check_number(self.seconds, 1, LONGEST_INTERVAL)
        object.__setattr__(self, "anchor", _utc(self.anchor).replace(microsecond=0))

    def next(self, after: datetime) -> datetime | None:
        """Return the first of anchor + k * seconds, k >= 1, after `after`."""
        interval = timedelta(seconds=self.seconds)
        count = max(1, (_utc(after) - self.anchor) // interval + 1)
        try:
            return self.anchor + count * interval
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTrigger:
    """Fires once, at a whole second. Raises `InvalidJob`."""

    at: datetime

    def __post_init__(self) -> None:
        if self.at.microsecond:
            raise InvalidJob(_("%(value)s is not a whole second: leave out the fraction"), value=self.at.isoformat())
        object.__setattr__(self, "at", _utc(self.at))

    def next(self, after: datetime) -> datetime | None:
        """Return the date if it is after `after`."""
        return self.at if self.at > _utc(after) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualTrigger:
    """Never fires by itself."""

    def next(self, after: datetime) -> datetime | None:
        """Return None: only people ask for a fire."""
        return None


def check_interval(seconds: int | None) -> None:
    """Raise `InvalidJob` unless a job can fire every so many seconds, at most 366 days; None is another trigger's."""
    if seconds is not None:
        check_number(seconds, 1, LONGEST_INTERVAL)


def next_fire_times(expression: str, time_zone: str, after: datetime, count: int, dst: str = "once") -> list[datetime]:
    """Return the next `count` fire times strictly after `after`: fewer if there are no more in a hundred years.

    Raises `InvalidCronExpression`, `UnknownTimeZone`, or `InvalidJob` for another `dst` than "once" and "quartz".
    """
    parsed = parse(expression)
    zone, rule = _zone(time_zone), _rule(parsed, dst)
    last_year = _last_year(after, zone)
    times: list[datetime] = []
    while len(times) < count:
        following = _next_cron(parsed, zone, rule, times[-1] if times else after, last_year)
        if following is None:
            break
        times.append(following)
    return times


def fire_times_between(trigger: Trigger, after: datetime, until: datetime, limit: int) -> list[datetime]:
    """Return the first `limit` fire times in (after, until]."""
    times: list[datetime] = []
    following = trigger.next(after)
    while following is not None and following <= until and len(times) < limit:
        times.append(following)
        following = trigger.next(following)
    return times


def last_fire_time(trigger: Trigger, after: datetime, until: datetime) -> datetime | None:
    """Return the latest fire time in (after, until]; None if there is none.

    Bisects over the seconds, so that a year of an every-second job takes 25 steps and not 31 million.
    """
    latest = trigger.next(after)
    if latest is None or latest > until:
        return None
    following = trigger.next(latest)
    if following is None or following > until:
        return latest  # the only one, as in the windows of `last_fire_times`
    none_after = until
    while seconds := (none_after - latest) // SECOND:
        middle = latest + seconds // 2 * SECOND
        following = trigger.next(middle)
        if following is not None and following <= until:
            latest = following
        else:
            none_after = middle
    return latest


def last_fire_times(trigger: Trigger, after: datetime, until: datetime, most: int) -> list[datetime]:
    """Return the latest `most` fire times in (after, until], in their order.

    Looks for each no further back than the last gap was long, and where nothing is there, twice as far.
    """
    times: list[datetime] = []
    gap, time = SECOND, last_fire_time(trigger, after, until)
    while time is not None and len(times) < most:
        times.append(time)
        before = _last_before(trigger, after, time, gap)
        gap, time = (time - before if before else gap), before
    return times[::-1]


def _last_before(trigger: Trigger, after: datetime, time: datetime, gap: timedelta) -> datetime | None:
    until = time - SECOND
    while gap < until - after:
        if found := last_fire_time(trigger, until - gap, until):
            return found
        gap *= 2
    return last_fire_time(trigger, after, until)


def _next_cron(
    expression: CronExpression, zone: ZoneInfo, rule: Rule, after: datetime, last_year: int
) -> datetime | None:
    instant = max(_utc(after), EARLIEST)
    if instant.year > LATEST_YEAR:
        return None
    found = rule(
        lambda wall: expression.next_wall_time(wall, last_year), instant.replace(microsecond=0, tzinfo=None), zone
    )
    return found.replace(tzinfo=UTC) if found else None


def _last_year(after: datetime, zone: ZoneInfo) -> int:
    """Return the year in which a search from `after` stops; Quartz stops a hundred years from its clock's year."""
    instant = max(_utc(after), EARLIEST)
    return LATEST_YEAR if instant.year > LATEST_YEAR else instant.astimezone(zone).year + YEARS_AHEAD


def _rule(expression: CronExpression, dst: str) -> Rule:
    if dst == "once":
        return next_interval if expression.in_intervals else next_fixed
    if dst == "quartz":
        return next_quartz
    raise InvalidJob(_("%(value)s is not a daylight saving policy: choose once or quartz"), value=excerpt(str(dst)))


def _zone(name: str) -> ZoneInfo:
    if not isinstance(name, str):
        raise UnknownTimeZone(excerpt(str(name)))
    return find_zone(name)


def _utc(time: datetime) -> datetime:
    if time.utcoffset() is None:
        raise InvalidJob(_("%(value)s has no time zone: give an aware time"), value=time.isoformat())
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return (datetime.min if time.year == 1 else datetime.max).replace(tzinfo=UTC)
