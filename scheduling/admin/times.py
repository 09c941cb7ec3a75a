"""How times and durations look: never without a zone, never relative alone."""

from datetime import UTC, datetime, timedelta, tzinfo
from math import ceil

from django.utils import dateformat
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from scheduling.admin.states import lines, state_cell
from scheduling.domain.daylight import find_zone
from scheduling.domain.errors import UnknownTimeZone

LATE = timedelta(seconds=5)
"""A start that is later than this is shown as late."""


def zone_named(name: str) -> tzinfo:
    """Return the zone, or UTC if a row names one that this machine does not know."""
    try:
        return find_zone(name)
    except UnknownTimeZone:
        return UTC


def moment(time: datetime, zone: tzinfo = UTC) -> SafeString:
    """Return date and time on the zone's clock; the exact instant is in its title."""
    return _marked_up(time, _full(time, zone))


def in_zone(time: datetime, zone_name: str) -> str:
    """Return date, time and zone where there can be no markup."""
    return f"{_full(time, zone_named(zone_name))} {zone_name}"


def clock(time: datetime, zone: tzinfo = UTC) -> SafeString:
    """Return the time of day on the zone's clock; the exact instant is in its title."""
    return _marked_up(time, written(time, zone, "H:i:s"))


def written(time: datetime, zone: tzinfo, form: str) -> str:
    """Return the time on the zone's clock in one of Django's date formats."""
    return dateformat.format(time.astimezone(zone), form)


def zoned(time: datetime, zone_name: str) -> SafeString:
    """Return date, time and zone."""
    return format_html("{} {}", moment(time, zone_named(zone_name)), zone_name)


def short(time: datetime, zone: tzinfo) -> SafeString:
    """Return date and time without the year, if it is this one."""
    this_year = time.astimezone(zone).year == datetime.now(zone).year
    form = pgettext("date and time", "j M, H:i:s") if this_year else pgettext("date and time", "j M Y, H:i:s")
    return _marked_up(time, written(time, zone, form))


def brief(time: datetime, zone_name: str) -> SafeString:
    """Return date, time and zone as lists show them."""
    return format_html('<span class="sc-nowrap">{} {}</span>', short(time, zone_named(zone_name)), zone_name)


def in_both_zones(time: datetime, zone_name: str) -> SafeString:
    """Return date, time and zone, and below it UTC where its clock shows another time."""
    utc = format_html("{} UTC", moment(time)) if time.astimezone(zone_named(zone_name)).utcoffset() else ""
    return lines(zoned(time, zone_name), utc)


def duration(length: timedelta) -> str:
    """Return a duration in the two largest units that matter."""
    seconds = max(length.total_seconds(), 0.0)
    if seconds < 60:
        digits = 0 if seconds >= 10 or seconds.is_integer() else 1 if seconds >= 1 else 2
        return _("%(seconds)s s") % {"seconds": number_format(round(seconds, digits), digits)}
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86_400)
    if minutes < 60:
        return _("%(minutes)d min") % {"minutes": minutes}
    if hours < 48:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes % 60}
    return _("%(days)s days") % {"days": number_format(days, 0, force_grouping=True)}


def coming_in(length: timedelta) -> str:
    """Return how long it is until something, in whole seconds."""
    return _("in %(duration)s") % {"duration": duration(timedelta(seconds=ceil(length.total_seconds())))}


def late_by(length: timedelta) -> str:
    """Return a lateness; what is late for people stands out."""
    return state_cell("late", duration(length)) if length > LATE else duration(length)


def _full(time: datetime, zone: tzinfo) -> str:
    return written(time, zone, pgettext("date and time", "j M Y, H:i:s"))


def _marked_up(time: datetime, text: str) -> SafeString:
    exact = f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', time.isoformat(), exact, text)
