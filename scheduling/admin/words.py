"""What became of a fire or an execution, in words: a sentence, and a quiet line with where, when and who."""

from collections.abc import Mapping
from datetime import tzinfo

from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduling.admin.states import lines
from scheduling.admin.times import clock, short, zone_named
from scheduling.domain.fire import ExecutionState, FireState
from scheduling.domain.misfire import COUNTED_AT_MOST
from scheduling.models import Execution, Fire
from scheduling.models.ledger import EXECUTION_STATES, Kind

ItemCounts = Mapping[str, int]
"""state → number of a fire's executions in it"""

TROUBLE = (ExecutionState.FAILED, ExecutionState.LOST, ExecutionState.KILLED)
MOVING = (ExecutionState.RUNNING, ExecutionState.WAITING, ExecutionState.PENDING)


def of_fire(fire: Fire, items: ItemCounts) -> SafeString:
    """Say what became of the fire; what did not run stands out."""
    if fire.state == FireState.COALESCED:
        return _not_run(_coalesced(fire), _missed_span(fire) or fire.get_reason_display())
    if fire.state == FireState.SKIPPED:
        return _not_run(_skipped(fire), _missed_span(fire))
    said = _progress(fire, items)
    left_out = items.get(ExecutionState.CANCELLED, 0)
    return _not_run(said, _asked_by(fire)) if left_out else lines(said, _asked_by(fire))


def of_execution(execution: Execution, ending: str) -> SafeString:
    """Say what became of the execution; `ending` is the end of its message."""
    zone = zone_named(execution.job.time_zone)
    reason = execution.why()
    match execution.state:
        case ExecutionState.RUNNING if execution.started_at:
            since = format_html(_("running since {time}"), time=short(execution.started_at, zone))
            return lines(since, progress_of(execution))
        case ExecutionState.WAITING:
            return lines(format_html(_("next attempt at {time}"), time=short(execution.due_at, zone)), reason)
        case ExecutionState.CANCELLED | ExecutionState.LOST:
            return _not_run(_("not run: %(reason)s") % {"reason": reason or "–"}, "")
        case _:
            return lines(last_line(ending), reason)


def progress_of(execution: Execution) -> str:
    """Return how far a handler says it is."""
    if execution.progress_done is None:
        return _("no progress reported")
    done, total = number_format(execution.progress_done), number_format(execution.progress_total or 0)
    return _("%(done)s of %(total)s") % {"done": done, "total": total}


def last_line(message: str) -> str:
    """Return the line of a message or traceback that says the most, shortened."""
    return Truncator(message.strip().rpartition("\n")[2].strip()).chars(160)


def many(fire: Fire) -> str:
    """Return the number of fire times that the row stands for, as far as they were counted."""
    if fire.missed_count > COUNTED_AT_MOST:
        return _("more than %(count)s") % {"count": number_format(COUNTED_AT_MOST, force_grouping=True)}
    return number_format(fire.missed_count, force_grouping=True)


def _not_run(sentence: str, why: str) -> SafeString:
    return lines(format_html("<strong>{}</strong>", sentence), why)


def _skipped(fire: Fire) -> str:
    reason = fire.get_reason_display() or "–"
    if not fire.missed_count:
        return _("not run: %(reason)s") % {"reason": reason}
    return ngettext(
        "%(count)s fire time not run: %(reason)s", "%(count)s fire times not run: %(reason)s", fire.missed_count
    ) % {"count": many(fire), "reason": reason}


def _coalesced(fire: Fire) -> str:
    into = _coalesced_into(fire)
    time = clock(into.fire_time, zone_named(fire.job.time_zone)) if into else _("a later fire")
    if not fire.missed_count:
        return format_html(_("coalesced into {time}"), time=time)
    words = ngettext(
        "{count} fire time coalesced into {time}", "{count} fire times coalesced into {time}", fire.missed_count
    )
    return format_html(words, count=many(fire), time=time)


def _coalesced_into(fire: Fire) -> Fire | None:
    try:
        return fire.coalesced_into
    except Fire.DoesNotExist:
        return None  # forgotten before this one


def _missed_span(fire: Fire) -> str:
    if not fire.missed_count or fire.first_missed is None:
        return ""
    why = fire.get_reason_display() if fire.state == FireState.COALESCED else ""
    if fire.missed_count == 1:
        return why
    zone = zone_named(fire.job.time_zone)
    span = format_html(_("from {first} to {last}"), first=short(fire.first_missed, zone), last=_last(fire, zone))
    return format_html("{}, {}", why, span) if why else span


def _last(fire: Fire, zone: tzinfo) -> SafeString:
    same_day = fire.first_missed and fire.first_missed.astimezone(zone).date() == fire.fire_time.astimezone(zone).date()
    return clock(fire.fire_time, zone) if same_day else short(fire.fire_time, zone)


def _asked_by(fire: Fire) -> str:
    if fire.kind != Kind.MANUAL:
        return ""
    return _("by hand, by %(who)s") % {"who": fire.asked_by} if fire.asked_by else _("by hand")


def _progress(fire: Fire, items: ItemCounts) -> str:
    parts = [(state, items.get(state, 0)) for state in (*TROUBLE, *MOVING)]
    said = [_number_in(state, number) for state, number in parts if number]
    if left_out := items.get(ExecutionState.CANCELLED, 0):
        said.append(_left_out(fire, left_out))
    if said:
        return format_html_join(", ", "{}", ((each,) for each in said))
    if fire.state == FireState.SUCCEEDED:
        return _("every item succeeded")
    return ""


def _left_out(fire: Fire, number: int) -> str:
    into = _coalesced_into(fire)
    if not into:
        return _number_in(ExecutionState.CANCELLED, number)
    time = clock(into.fire_time, zone_named(fire.job.time_zone))
    words = ngettext("{count} item coalesced into {time}", "{count} items coalesced into {time}", number)
    return format_html(words, count=number_format(number), time=time)


def _number_in(state: ExecutionState, number: int) -> str:
    return _("%(number)s %(state)s") % {"number": number_format(number), "state": EXECUTION_STATES[state]}
