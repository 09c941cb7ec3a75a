"""What is wrong with the rows of the jobs, and with what the database allows: from 020 on."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connection
from django.db import Error as DatabaseFailure
from django.utils.translation import gettext as _

from scheduling.checks.declarations import row_problems
from scheduling.database.ledger import DatabaseLedger
from scheduling.domain.errors import SchedulingError
from scheduling.models import Job
from scheduling.runtime.executor import DEFAULT_WORKERS
from scheduling.runtime.handlers import HANDLERS

CONNECTIONS_BESIDE_WORKERS = 3
"""Of one instance: its scheduling thread, its heart, and one while it starts."""

CONNECTION_LIMITS = {
    "mysql": "SELECT @@max_connections",
    "postgresql": (
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    ),
}


@register(Tags.database)
def check_ledger(*, databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """Check the rows of the jobs, and whether the database allows as many connections as the instances need."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    return [*rowless_warnings(), *_answered(_row_warnings), *_answered(_live_connection_warnings)]


def rowless_warnings() -> list[CheckMessage]:
    """Return a warning that names the declared jobs of which the database has no row."""
    return _answered(_rowless)


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


def _rowless() -> list[CheckMessage]:
    names = sorted(HANDLERS.keys() - Job.objects.values_list("name", flat=True))
    if not names:
        return []
    return [
        Warning(
            _("the code declares jobs of which the database has no row, so that they do not run: %(jobs)s")
            % {"jobs": ", ".join(names)},
            hint=_("Run `manage.py jobs sync`, or `migrate`."),
            id="scheduling.W024",
        )
    ]


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
