"""What is wrong with the jobs that the code declares: from 010 on."""

from datetime import datetime
from typing import Any, get_type_hints

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from scheduling.database.declarations import declared_row
from scheduling.models import Job
from scheduling.runtime.handlers import HANDLERS, Handler, dotted


@register(Tags.compatibility)
def check_declarations(**_options: Any) -> list[CheckMessage]:
    """Check every declared job."""
    return [message for handler in HANDLERS.values() for message in declaration_problems(handler, timezone.now())]


def declaration_problems(handler: Handler, now: datetime) -> list[CheckMessage]:
    """Return what is wrong with one declaration; asks no database."""
    problems = _wrong_types(handler) or _wrong_values(handler)
    if problems:
        return [_declaration_error(handler, field, problem) for field, problem in problems.items()]
    row = declared_row(handler)
    if row.never_fires_after(now):
        return [_never_fires(handler, row)]
    return []


def _wrong_types(handler: Handler) -> dict[str, str]:
    expected = {field: type for field, type in get_type_hints(Handler).items() if field != "function"}
    return {
        field: _("%(value)r is of the wrong type: give %(type)s")
        % {"value": getattr(handler, field), "type": getattr(type, "__name__", type)}
        for field, type in expected.items()
        if not _is_of(type, getattr(handler, field))
    }


def _is_of(type: Any, value: object) -> bool:
    return isinstance(value, type) and (type is bool or not isinstance(value, bool))


def _wrong_values(handler: Handler) -> dict[str, str]:
    given = [field for field in ("cron", "interval", "at") if getattr(handler, field) is not None]
    if len(given) > 1:
        return {given[1]: _("given together with %(other)s: keep one of them") % {"other": given[0]}}
    return {field: problem for field, problem in row_problems(declared_row(handler)).items() if field != "handler"}


def row_problems(row: Job) -> dict[str, str]:
    """Return field → what is wrong with it in words; asks no database."""
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        # Of several findings about one field the last is the domain's, which tells the way out.
        return {field: messages[-1] for field, messages in error.message_dict.items()}
    return {}


def _declaration_error(handler: Handler, field: str, problem: str) -> CheckMessage:
    # The finding about a strategy names the choices itself, and there are others.
    choices = (
        [] if field == "strategy" else [str(value) for value, _label in getattr(_field(field), "choices", None) or ()]
    )
    return Error(
        _("job %(job)r declares %(field)s=%(value)r: %(problem)s")
        % {"job": handler.name, "field": field, "value": getattr(handler, field, None), "problem": problem},
        hint=_("Choose one of %(choices)s.") % {"choices": ", ".join(choices)} if choices else None,
        obj=dotted(handler.function),
        id="scheduling.E010",
    )


def _field(name: str) -> object:
    return {field.name: field for field in Job._meta.get_fields()}.get(name)


def _never_fires(handler: Handler, row: Job) -> CheckMessage:
    return Warning(
        _("job %(job)r never fires: nothing comes after now for %(trigger)r")
        % {"job": handler.name, "trigger": row.cron or str(row.at)},
        hint=_("Give another trigger, or declare it with enabled=False; without a trigger it runs when somebody asks."),
        obj=dotted(handler.function),
        id="scheduling.W010",
    )
