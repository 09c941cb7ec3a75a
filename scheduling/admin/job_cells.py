"""What the pages of jobs show beside the form's fields."""

from datetime import datetime

from django.template.loader import render_to_string
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduling.admin.declared import differences
from scheduling.admin.ledger import link_to
from scheduling.admin.states import lines, state_cell, warning
from scheduling.admin.times import coming_in, moment, short, zone_named
from scheduling.domain.errors import InvalidJob
from scheduling.domain.trigger import fire_times_between
from scheduling.models import Fire, Job
from scheduling.models.job import EPOCH, TriggerKind, as_validation_error
from scheduling.runtime.handlers import HANDLERS

FAR = datetime.max.replace(tzinfo=EPOCH.tzinfo)
NEXT = 5


def enabled(row: Job) -> SafeString:
    """Show whether the job is enabled; what is as it should be stays quiet."""
    return format_html("{}", _("enabled")) if row.enabled else state_cell("left", _("disabled"))


def fires_on(row: Job) -> SafeString:
    """Show what tells the job's fire times."""
    match row.trigger_kind:
        case TriggerKind.CRON:
            return lines(format_html('<code class="sc-mono">{}</code>', row.cron), row.time_zone)
        case TriggerKind.INTERVAL:
            seconds = row.interval or 0
            words = ngettext("every %(seconds)s second", "every %(seconds)s seconds", seconds)
            return lines(words % {"seconds": number_format(seconds, force_grouping=True)}, row.time_zone)
        case TriggerKind.DATE:
            return lines(row.get_trigger_kind_display(), row.time_zone)
        case _:
            return lines(row.get_trigger_kind_display())


def next_fire(row: Job, now: datetime) -> SafeString:
    """Show the next fire time, or why there is none."""
    try:
        time = row.trigger_at(now).next(now)
    except InvalidJob as error:
        return lines(warning(_("left out until it is mended")), " ".join(as_validation_error(error).messages))
    if not row.enabled or time is None:
        return lines("–")
    return lines(short(time, zone_named(row.time_zone)), coming_in(time - now))


def next_fires(row: Job, now: datetime) -> SafeString:
    """Show the next fire times on the job's clock and in UTC, also of a form that is not saved yet."""
    try:
        times = fire_times_between(row.trigger_at(now), now, FAR, NEXT)
    except InvalidJob:
        return lines(_("They are shown as soon as the trigger is complete and correct."))
    zone = zone_named(row.time_zone)
    differs = any(time.astimezone(zone).utcoffset() for time in times)
    fires = [{"here": moment(time, zone), "utc": moment(time), "wait": coming_in(time - now)} for time in times]
    context = {"fires": fires, "zone": row.time_zone, "differs": differs, "job": row, "ends": len(times) < NEXT}
    return SafeString(render_to_string("admin/scheduling/job/next_fires.html", context))


def handler(row: Job) -> SafeString:
    """Show the handler, and whether there is code for it."""
    return lines(row.handler) if row.handler in HANDLERS else lines(warning(row.handler), _("no code declares it"))


def last_fire(fire: Fire | None, row: Job) -> SafeString:
    """Show what became of the job's latest fire time."""
    if fire is None:
        return lines("–")
    state = state_cell(fire.state, fire.get_state_display())
    return lines(state, link_to(fire, short(fire.fire_time, zone_named(row.time_zone))))


def differs(row: Job) -> SafeString:
    """Show where the job is not what the code declares."""
    return SafeString(render_to_string("admin/scheduling/job/differs.html", {"differences": differences(row)}))
