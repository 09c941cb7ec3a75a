"""A job and its fires in words, as the terminal shows them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduling.checks import row_problems
from scheduling.database.declarations import declared_fields
from scheduling.database.pruning import overall
from scheduling.domain.daylight import find_zone
from scheduling.domain.errors import UnknownTimeZone
from scheduling.domain.job import Misfire
from scheduling.domain.misfire import COUNTED_AT_MOST
from scheduling.domain.retention import Keep
from scheduling.domain.retry import Backoff
from scheduling.domain.trigger import fire_times_between
from scheduling.models import Cursor, Execution, Fire, Job
from scheduling.models.job import TriggerKind
from scheduling.runtime.handlers import HANDLERS

END_OF_TIME = datetime.max.replace(tzinfo=UTC)
NOTHING = "–"
MESSAGE_COLUMNS = 80

Facts = list[tuple[str, str]]
"""What a thing is, each with its label."""


def state_of(row: Job) -> str:
    """Say whether the job runs, or why it can't."""
    if row.handler not in HANDLERS:
        return _("no code declares its handler")
    if problem := problem_of(row):
        return _("invalid: %(problem)s") % {"problem": problem}
    if cursor_of(row) is None:
        return _("not known to the ledger: enable it")
    return _("enabled") if row.enabled else _("disabled")


def problem_of(row: Job) -> str:
    """Say what is wrong with the job's configuration; nothing if it can be meant."""
    problems = row_problems(row)
    return "; ".join(f"{field} {repr(getattr(row, field, None))[:80]}: {problems[field]}" for field in problems)


def trigger_of(row: Job) -> str:
    """Name the trigger."""
    match row.trigger_kind:
        case TriggerKind.CRON:
            return f"{row.cron} ({row.time_zone})"
        case TriggerKind.INTERVAL:
            return ngettext("every second", "every %(seconds)d s", row.interval or 0) % {"seconds": row.interval or 0}
        case TriggerKind.DATE if row.at:
            return in_utc(row.at)
        case _:
            return row.get_trigger_kind_display()


def next_fire_times(row: Job, after: datetime, count: int) -> list[datetime]:
    """Return the next fire times, fewer if there are no more; raise `InvalidJob`."""
    return fire_times_between(row.trigger_at(after), after, END_OF_TIME, count)


def next_fire_time(row: Job, after: datetime) -> str:
    """Say when an enabled job fires next, in UTC."""
    if not row.enabled or row_problems(row).keys() - {"strategy"}:  # without its strategy a job fires all the same
        return NOTHING
    return next((in_utc(time) for time in next_fire_times(row, after, 1)), NOTHING)


def cursor_of(row: Job) -> Cursor | None:
    """Return the job's cursor; None if the row came from elsewhere, as with `loaddata`."""
    return getattr(row, "cursor", None)


def zone_of(row: Job) -> ZoneInfo:
    """Return the job's zone, UTC if it is unknown."""
    try:
        return find_zone(row.time_zone)
    except UnknownTimeZone:
        return ZoneInfo("UTC")


def in_zone(time: datetime, zone: ZoneInfo) -> str:
    """Write a time as the clocks of a zone show it, with their offset."""
    try:
        return time.astimezone(zone).isoformat(sep=" ")
    except OverflowError:
        return time.isoformat(sep=" ")


def in_utc(time: datetime | None) -> str:
    """Write a time in UTC."""
    return time.astimezone(UTC).isoformat(" ", "seconds").removesuffix("+00:00") if time else NOTHING


def configuration_of(row: Job) -> Facts:
    """Return what the job is configured to do."""
    return [
        (_("job"), row.name),
        (_("description"), row.description or NOTHING),
        (_("state"), state_of(row)),
        (_("handler"), row.handler),
        (_("trigger"), trigger_of(row)),
        (_("daylight saving"), row.get_dst_display()),
        (_("sharding total count"), str(row.sharding_total_count)),
        (_("item parameters"), ", ".join(row.item_parameters.split("\n")) or NOTHING),
        (_("sharding strategy"), row.get_strategy_display()),
        (_("misfire policy"), _misfire_of(row)),
        (_("failover"), _("yes") if row.failover else _("no")),
        (_("retries"), _retries_of(row)),
        (_("isolation"), row.get_isolation_display()),
        (_("timeout"), _timeout_of(row)),
        (_("settled fires are kept"), kept(row)),
    ]


def _misfire_of(row: Job) -> str:
    policy = row.get_misfire_display()
    if row.misfire != Misfire.FIRE_ALL:
        return policy
    return _("%(policy)s: at most %(count)s, none older than %(seconds)s s") % {
        "policy": policy,
        "count": row.fire_all_most,
        "seconds": row.fire_all_age,
    }


def _retries_of(row: Job) -> str:
    if not row.retries:
        return _("none")
    where = _("on another instance") if row.retry_elsewhere else _("where the item is")
    delay = _("%(seconds)s s, %(backoff)s") % {"seconds": row.retry_delay, "backoff": row.get_retry_backoff_display()}
    if row.retry_backoff == Backoff.EXPONENTIAL:
        delay += _(", up to %(seconds)s s") % {"seconds": row.retry_delay_most}
    return f"{row.retries}, {where}; {delay}"


def _timeout_of(row: Job) -> str:
    if row.timeout is None:
        return _("none")
    return _("after %(seconds)s s: %(action)s") % {"seconds": row.timeout, "action": row.get_on_timeout_display()}


def kept(row: Job) -> str:
    """Say how long the job's settled fires are kept."""
    keep = Keep(days=row.keep_days, fires=row.keep_fires).or_else(overall())
    days = ngettext("for %(count)d day", "for %(count)d days", keep.days or 0) % {"count": keep.days or 0}
    fires = _("at most %(count)d and those of the last hour") % {"count": keep.most()}
    return f"{days}, {fires}"


def standing_of(row: Job, now: datetime) -> Facts:
    """Return how far the job is, and how it differs from the code."""
    cursor = cursor_of(row)
    return [
        (_("revision"), str(cursor.revision) if cursor else NOTHING),
        (_("accounted for up to (UTC)"), in_utc(cursor.counted_to if cursor else None)),
        (_("next fire (UTC)"), next_fire_time(row, now)),
        *((_("differs from the code"), difference) for difference in _differences(row) or [NOTHING]),
    ]


def _differences(row: Job) -> list[str]:
    if row.name not in HANDLERS:
        return [_("no code declares this job")]
    declared = declared_fields(HANDLERS[row.name])
    return [
        _("%(field)s is %(here)s, in the code %(there)s")
        % {"field": field, "here": _as_read(field, getattr(row, field)), "there": _as_read(field, value)}
        for field, value in declared.items()
        if getattr(row, field) != value
    ]


def _as_read(field: str, value: object) -> str:
    choices: dict[object, object] = dict(getattr(Job._meta.get_field(field), "flatchoices", ()))
    match value:
        case bool():
            return _("yes") if value else _("no")
        case datetime():
            return in_zone(value, ZoneInfo("UTC"))
        case None | "":
            return NOTHING
        case _:
            return ", ".join(str(choices.get(value, value)).split("\n"))


def fires_table(fires: Iterable[Fire]) -> list[list[str]]:
    """Return the rows of a table of fires."""
    head = [_("fire"), _("fire time (UTC)"), _("asked for by"), _("state"), _("why"), _("settled (UTC)")]
    return [head, *(_fire_row(fire) for fire in fires)]


def _fire_row(fire: Fire) -> list[str]:
    who = fire.asked_by or fire.get_kind_display()
    return [str(fire.id), in_utc(fire.fire_time), who, fire.get_state_display(), _why(fire), in_utc(fire.settled_at)]


def _why(fire: Fire) -> str:
    reason = fire.get_reason_display() if fire.reason else NOTHING
    if fire.missed_count <= 1:
        return reason
    count = min(fire.missed_count, COUNTED_AT_MOST)
    more = _("more than %(count)d fire times") if fire.missed_count > count else _("%(count)d fire times")
    return f"{reason}, {more % {'count': count}}"


def executions_table(executions: Iterable[Execution]) -> list[list[str]]:
    """Return the rows of a table of executions."""
    head = [_("item"), _("state"), _("instance"), _("attempts"), _("took"), _("message")]
    return [head, *(_execution_row(execution) for execution in executions)]


def _execution_row(execution: Execution) -> list[str]:
    return [
        str(execution.item),
        execution.get_state_display(),
        execution.instance_id or NOTHING,
        str(execution.attempt),
        _took(execution),
        _message(execution),
    ]


def _took(execution: Execution) -> str:
    if not execution.started_at or not execution.finished_at:
        return NOTHING
    return f"{(execution.finished_at - execution.started_at).total_seconds():.2f} s"


def _message(execution: Execution) -> str:
    last_line = execution.message.strip().rpartition("\n")[2][-MESSAGE_COLUMNS:]
    return last_line or execution.why()
