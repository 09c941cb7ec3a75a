"""What the code declares, written into the rows; fields that a person has changed are left alone."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.utils.translation import gettext as _

from scheduling.database import configuration
from scheduling.domain.errors import ClockAhead
from scheduling.models import Job
from scheduling.models.job import TriggerKind, as_validation_error
from scheduling.runtime.handlers import HANDLERS, Handler

SAME_NAME = tuple(
    field.name for field in fields(Handler) if field.name not in ("name", "function", "cron", "time_zone")
)
"""Fields that a declaration and a row name alike."""

DECLARED = frozenset({*SAME_NAME, "handler", "trigger_kind", "cron", "time_zone"})
"""Fields of a row that code can declare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What became of one declaration, in words."""

    job: str
    outcome: str
    failed: bool = False


def declared_fields(handler: Handler) -> dict[str, Any]:
    """Return the fields of the row as the code declares them."""
    same = {field: getattr(handler, field) for field in SAME_NAME}
    return same | {
        "handler": handler.name,
        "trigger_kind": _trigger_kind(handler),
        "cron": handler.cron or "",
        "time_zone": handler.time_zone or settings.TIME_ZONE,
    }


def declared_row(handler: Handler) -> Job:
    """Return the row that the code declares, not saved."""
    return Job(name=handler.name, **declared_fields(handler))


def note_changed(row: Job, fields: Iterable[str]) -> None:
    """Remember that a person has set these fields, so that `sync` leaves them alone.

    Also of a job that no code declares now: its code may come back.
    """
    row.changed_fields = sorted({*row.changed_fields, *fields} & DECLARED)


def sync(handlers: Iterable[Handler] | None = None) -> list[Synced]:
    """Write every declaration into its row, each in a transaction of its own; say what became of each."""
    return [_sync(handler) for handler in (HANDLERS.values() if handlers is None else handlers)]


def after_migrate(using: str, verbosity: int, **_signal: Any) -> None:
    """Write the declarations after `migrate`."""
    if using != DEFAULT_DB_ALIAS or Job._meta.db_table not in connection.introspection.table_names():
        return
    for synced in sync():
        if verbosity:
            print(f"  {synced.job}: {synced.outcome}")


def _sync(handler: Handler) -> Synced:
    try:
        with transaction.atomic():
            return Synced(job=handler.name, outcome=_write(handler))
    except ValidationError as error:
        return Synced(job=handler.name, outcome=" ".join(error.messages), failed=True)
    except ClockAhead as error:
        return Synced(job=handler.name, outcome=" ".join(as_validation_error(error).messages), failed=True)


def _write(handler: Handler) -> str:
    id = Job.objects.filter(name=handler.name).values_list("id", flat=True).first()
    if id is None:
        return _save(declared_row(handler), _("created"))
    row = configuration.locked(id)
    if row.retired_at:
        return _("retired in the admin, left alone: add a job of this name there to take it up again")
    declared = declared_fields(handler)
    differ = [field for field, value in declared.items() if getattr(row, field) != value]
    changed = [field for field in differ if field not in row.changed_fields]
    for field in changed:
        setattr(row, field, declared[field])
    if changed:
        return _save(row, _("updated: %(fields)s") % {"fields": ", ".join(changed)})
    return _("unchanged; set by a person: %(fields)s") % {"fields": ", ".join(differ)} if differ else _("unchanged")


def _save(row: Job, outcome: str) -> str:
    row.full_clean()
    configuration.save(row)
    return outcome


def _trigger_kind(handler: Handler) -> str:
    if handler.cron is not None:
        return TriggerKind.CRON
    if handler.interval is not None:
        return TriggerKind.INTERVAL
    return TriggerKind.DATE if handler.at is not None else TriggerKind.MANUAL
