"""What a zone's clock does when daylight saving begins or ends: wall times that it skips, and some it shows twice.

Instants are naive here, in UTC; wall times are naive, as the zone's clock shows them. Both are whole seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from scheduling.domain.errors import UnknownTimeZone

SECOND = timedelta(seconds=1)
NOT_IANA = ("localtime", "posixrules", "posix/", "right/")
"""What lies beside the IANA names in a zoneinfo folder: other on the next machine, or with leap seconds."""

Walk = Callable[[datetime], datetime | None]
"""Tells the next wall time after one."""

Rule = Callable[[Walk, datetime, ZoneInfo], datetime | None]
"""Tells the first instant after one at which a walk's wall times fire; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A change of a zone's offset at `instant`: wall times in [start, end) are skipped, or shown twice."""

    instant: datetime
    start: datetime
    end: datetime


@lru_cache(maxsize=1024)
def find_zone(name: str) -> ZoneInfo:
    """Return the IANA zone of this name; raise `UnknownTimeZone`."""
    try:
        zone = None if name.startswith(NOT_IANA) else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        zone = None
    if zone is None:
        raise UnknownTimeZone(name[:64])
    return zone


def next_fixed(walk: Walk, after: datetime, zone: ZoneInfo) -> datetime | None:
    """Fire each wall time once: one in a gap at the gap's end, one that comes twice in its first pass."""
    shown = _shown_at(after, zone)
    wall: datetime | None = shift_at(shown, zone).end - SECOND if shown.fold else shown
    while wall is not None and (wall := walk(wall)) is not None:
        instant = next(iter(instants(wall, zone)), None) or shift_at(wall, zone).instant
        if instant > after:
            return instant
    return None


def next_interval(walk: Walk, after: datetime, zone: ZoneInfo) -> datetime | None:
    """Fire whenever the clock shows a wall time: never in a gap, in both passes of an overlap."""
    shown = _shown_at(after, zone)
    upcoming = [instant for instant in _next_shown(walk, shown, zone) if instant > after]
    if not shown.fold and len(instants(shown, zone)) == 2:
        shift = shift_at(shown, zone)
        if not upcoming or upcoming[0] >= shift.instant:
            again = _next_shown(walk, shift.start - SECOND, zone)
            upcoming = [instant for instant in again if instant >= shift.instant]
    return upcoming[0] if upcoming else None


def next_quartz(walk: Walk, after: datetime, zone: ZoneInfo) -> datetime | None:
    """Fire as Quartz does: not in a gap, and only in the second pass of an overlap."""
    shown = _shown_at(after, zone)
    if not shown.fold and len(instants(shown, zone)) == 2:
        shown = shift_at(shown, zone).start - SECOND
    found = _next_shown(walk, shown, zone)
    return found[-1] if found else None


def instants(wall: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """Return when the zone's clock shows `wall`: once as a rule, twice in an overlap, never in a gap."""
    before, later = _offsets(wall, zone)
    if before == later:
        return (wall - before,)
    return (wall - before, wall - later) if before > later else ()


def shift_at(wall: datetime, zone: ZoneInfo) -> Shift:
    """Return the change of offset that makes the zone's clock skip `wall`, or show it twice."""
    before, later = _offsets(wall, zone)
    low, high = wall - max(before, later), wall - min(before, later)
    while high - low > SECOND:
        middle = low + (high - low) // SECOND // 2 * SECOND
        if _offset_at(middle, zone) == before:
            low = middle
        else:
            high = middle
    return Shift(instant=high, start=high + min(before, later), end=high + max(before, later))


def _next_shown(walk: Walk, wall: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """Return the instants of the next wall time that the zone's clock does show."""
    following = walk(wall)
    while following is not None:
        if found := instants(following, zone):
            return found
        following = walk(shift_at(following, zone).end - SECOND)
    return ()


def _shown_at(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return the wall time at `instant`; its `fold` is 1 in the second pass of an overlap."""
    return instant.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


def _offset_at(instant: datetime, zone: ZoneInfo) -> timedelta | None:
    return instant.replace(tzinfo=UTC).astimezone(zone).utcoffset()


def _offsets(wall: datetime, zone: ZoneInfo) -> tuple[timedelta, timedelta]:
    """Return the offsets at `wall` by the rule before and by the rule after a change; equal where there is none."""
    before = wall.replace(tzinfo=zone, fold=0).utcoffset()
    later = wall.replace(tzinfo=zone, fold=1).utcoffset()
    assert before is not None
    assert later is not None
    return before, later
