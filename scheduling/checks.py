"""System checks: what is wrong with the settings, the declarations or the rows is said before anything runs.

E001-E009 and W001-W009 are about the settings, from 010 on about the declarations, from 020 on about the database.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any, get_type_hints

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, connection
from django.db import Error as DatabaseFailure
from django.utils import timezone
from django.utils.translation import gettext as _

from scheduling.database.declarations import declared_row
from scheduling.database.ledger import DatabaseLedger
from scheduling.domain.errors import InvalidAddress, SchedulingError
from scheduling.models import Job
from scheduling.models.job import TriggerKind, as_validation_error
from scheduling.runtime.executor import DEFAULT_WORKERS
from scheduling.runtime.handlers import HANDLERS, Handler, dotted
from scheduling.zookeeper.address import SCHEME, parse_address

DATABASE_URL = "database://"
KNOWN_SETTINGS = ("REGISTRY_URL",)
SQLITE_OPTIONS: dict[str, Any] = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
}
WAL = re.compile(r"journal_mode\s*[=(]\s*['\"]?wal\b", re.IGNORECASE)
FULL = re.compile(r"synchronous\s*[=(]\s*['\"]?(full|extra|2|3)\b", re.IGNORECASE)
CONNECTIONS_BESIDE_WORKERS = 3
"""Of one instance: its scheduling thread, its heart, and one while it starts."""

CONNECTION_LIMITS = {
    "mysql": "SELECT @@max_connections",
    "postgresql": (
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    ),
}


# Settings


@register(Tags.compatibility)
def check_settings(**_options: Any) -> list[CheckMessage]:
    """Check `SCHEDULING` and `USE_TZ`."""
    scheduling = getattr(settings, "SCHEDULING", {})
    if not isinstance(scheduling, Mapping):
        return [*_time_zone_problems(), _not_a_dict(scheduling)]
    return [*_time_zone_problems(), *_unknown_settings(scheduling), *_registry_problems(scheduling)]


@register(Tags.compatibility)
def check_database_options(**_options: Any) -> list[CheckMessage]:
    """Check how the default database is told to behave."""
    return database_option_problems(connection.vendor, connection.settings_dict.get("OPTIONS") or {})


def database_option_problems(vendor: str, options: Mapping[str, Any]) -> list[CheckMessage]:
    """Return what must not be so in the OPTIONS of a database of this vendor."""
    if vendor == "sqlite" and not _are_sqlite_options_safe(options):
        return [_sqlite_options(options)]
    level = options.get("isolation_level", "read committed")
    if vendor == "mysql" and (not isinstance(level, str) or level.lower() != "read committed"):
        return [
            Error(
                _("DATABASES['default'] has the isolation level %(level)r.") % {"level": level},
                hint=_(
                    "Write 'isolation_level': 'read committed' into its OPTIONS, or leave it out: it is the default."
                ),
                id="scheduling.E005",
            )
        ]
    return []


def _time_zone_problems() -> Iterator[CheckMessage]:
    if not settings.USE_TZ:
        yield Error(
            _("USE_TZ is False: fire times would be ambiguous when clocks are set back."),
            hint=_("Write USE_TZ = True into the settings."),
            id="scheduling.E004",
        )


def _not_a_dict(scheduling: object) -> CheckMessage:
    return Error(
        _("SCHEDULING is %(value)r, no dict.") % {"value": scheduling},
        hint=_("Write SCHEDULING = {'REGISTRY_URL': 'database://'} into the settings, or leave it out."),
        id="scheduling.E001",
    )


def _unknown_settings(scheduling: Mapping[Any, Any]) -> Iterator[CheckMessage]:
    for key in scheduling:
        if key not in KNOWN_SETTINGS:
            near = get_close_matches(str(key).upper(), KNOWN_SETTINGS) or KNOWN_SETTINGS
            yield Error(
                _("SCHEDULING has the unknown key %(key)r.") % {"key": key},
                hint=_("Remove it, or write %(known)s.") % {"known": ", ".join(near)},
                id="scheduling.E002",
            )


def registry_url() -> str:
    """Return where instances see each other, as `check_settings` has passed it."""
    return str(getattr(settings, "SCHEDULING", {}).get("REGISTRY_URL", DATABASE_URL))


def _registry_problems(scheduling: Mapping[Any, Any]) -> Iterator[CheckMessage]:
    url = scheduling.get("REGISTRY_URL", DATABASE_URL)
    if url == DATABASE_URL:
        return
    if isinstance(url, str) and url.startswith(f"{SCHEME}://"):
        try:
            parse_address(url)
        except InvalidAddress as error:
            yield _wrong_registry(_shown(url), " ".join(as_validation_error(error).messages))
        if connection.vendor == "sqlite":
            yield Warning(
                _("SCHEDULING['REGISTRY_URL'] is a ZooKeeper, but the database is SQLite, which is for one machine."),
                hint=_("Use a database server where schedulers run on several machines."),
                id="scheduling.W002",
            )
        return
    yield _wrong_registry(_shown(url), _("it is no registry known here"))


def _wrong_registry(url: str, problem: str) -> CheckMessage:
    return Error(
        _("SCHEDULING['REGISTRY_URL'] is %(url)s: %(problem)s.") % {"url": url, "problem": problem},
        hint=_("Write database://, or zookeeper://host1:2181,host2:2181/namespace."),
        id="scheduling.E003",
    )


def _shown(url: object) -> str:
    # No more than the scheme is shown: a password may follow.
    return f"{url.partition('://')[0]}://…" if isinstance(url, str) and "://" in url else repr(url)


def _are_sqlite_options_safe(options: Mapping[str, Any]) -> bool:
    timeout, command = options.get("timeout", 0), str(options.get("init_command"))
    return (
        str(options.get("transaction_mode")).upper() == "IMMEDIATE"
        and isinstance(timeout, int | float)
        and timeout >= SQLITE_OPTIONS["timeout"]
        and bool(WAL.search(command) and FULL.search(command))
    )


def _sqlite_options(options: Mapping[str, Any]) -> CheckMessage:
    return Warning(
        _("DATABASES['default'] has the OPTIONS %(options)r: several processes would often find SQLite locked.")
        % {"options": {key: options[key] for key in SQLITE_OPTIONS if key in options}},
        hint=_("Write 'OPTIONS': %(options)r.") % {"options": SQLITE_OPTIONS},
        id="scheduling.W001",
    )


# Declarations


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
    if row.enabled and row.trigger_kind != TriggerKind.MANUAL and row.trigger(now).next(now) is None:
        return [_never_fires(handler, row)]
    return []


def _wrong_types(handler: Handler) -> dict[str, str]:
    expected = {field: type for field, type in get_type_hints(Handler).items() if field != "function"}
    return {
        field: _("%(value)r is of the wrong type: give %(type)s")
        % {"value": getattr(handler, field), "type": getattr(type, "__name__", type)}
        for field, type in expected.items()
        if not isinstance(getattr(handler, field), type)
    }


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


# Database


@register(Tags.database)
def check_ledger(*, databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """Check the rows of the jobs, and whether the database allows as many connections as the instances need."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    return [*_answered(_row_warnings), *_answered(_live_connection_warnings)]


def connection_limit_warnings(workers: int, instances: int) -> list[CheckMessage]:
    """Return a warning if so many instances with so many workers each may need more connections than there are."""
    return _answered(lambda: connection_warnings(workers, instances, _connection_limit()))


def _answered(check: Callable[[], list[CheckMessage]]) -> list[CheckMessage]:
    # A check has nothing to say before `migrate`, or while the database is away.
    try:
        return check() if Job._meta.db_table in connection.introspection.table_names() else []
    except (DatabaseFailure, SchedulingError):
        return []


def _row_warnings() -> list[CheckMessage]:
    rows = Job.objects.filter(retired_at__isnull=True)
    return [warning for row in rows for warning in (*_unknown_handler(row), *_invalid_row(row))]


def _unknown_handler(row: Job) -> Iterator[CheckMessage]:
    if row.handler not in HANDLERS:
        yield Warning(
            _("job %(job)r runs the handler %(handler)r, which no code declares.")
            % {"job": row.name, "handler": row.handler},
            hint=_("Declare it with @job in an installed app's jobs.py, choose another handler, or delete the job."),
            id="scheduling.W021",
        )


def _invalid_row(row: Job) -> Iterator[CheckMessage]:
    problems = row_problems(row)
    if problem := problems.pop("strategy", None):
        yield Warning(
            _("the items of job %(job)r stay where they can: %(problem)s") % {"job": row.name, "problem": problem},
            hint=_("Mend it in the admin, or install the code."),
            id="scheduling.W023",
        )
    for field, problem in problems.items():
        yield Warning(
            _("job %(job)r is left out: its %(field)s is %(value)r: %(problem)s")
            % {"job": row.name, "field": field, "value": getattr(row, field, None), "problem": problem},
            hint=_("Mend it in the admin."),
            id="scheduling.W022",
        )


def _live_connection_warnings() -> list[CheckMessage]:
    live = len(DatabaseLedger().joined())
    return connection_warnings(DEFAULT_WORKERS, max(live, 1), _connection_limit())


def _connection_limit() -> int | None:
    if connection.vendor not in CONNECTION_LIMITS:
        return None
    with connection.cursor() as cursor:
        cursor.execute(CONNECTION_LIMITS[connection.vendor])
        return int(cursor.fetchone()[0])


def connection_warnings(workers: int, instances: int, limit: int | None) -> list[CheckMessage]:
    """Return a warning if that many connections, or None for any number, are too few."""
    needed = instances * (workers + CONNECTIONS_BESIDE_WORKERS)
    if limit is None or needed <= limit:
        return []
    return [
        Warning(
            _("%(instances)s × %(workers)s workers may need %(needed)s connections; the database allows %(limit)s")
            % {"instances": instances, "workers": workers, "needed": needed, "limit": limit},
            hint=_("Raise max_connections of the database, or start `runscheduler` with at most --workers %(most)s.")
            % {"most": max(1, limit // instances - CONNECTIONS_BESIDE_WORKERS)},
            id="scheduling.W020",
        )
    ]
