"""The rows that fires begin with: statements that leave to the database what Django's `bulk_create` does for each row.

There, a row takes four times as long on its way through Python as in the database, and a hundred jobs are late.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection

from scheduling.domain.errors import BrokenLedger
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.fire import ExecutionState, FireState
from scheduling.domain.misfire import Opening
from scheduling.models import Cursor, Execution, Fire, Item, Job
from scheduling.models.ledger import Kind

Row = TypeVar("Row")

BATCH = 200
"""Rows a statement: fewer cost more round trips, more are slower in MariaDB (measured)."""

FIRES = f"""
INSERT INTO {Fire._meta.db_table} (job_id, fire_time, revision, total, parameters, opened_at, opener,
    run, kind, asked_by, state, unsettled, reason, missed_count)
SELECT job.id, %s, job_cursor.revision, job.sharding_total_count, %s, %s, %s,
    0, '{Kind.SCHEDULED.value}', '', '{FireState.OPEN.value}', TRUE, '', 0
FROM {Job._meta.db_table} job
JOIN {Cursor._meta.db_table} job_cursor ON job_cursor.job_id = job.id
WHERE job.id IN (%s) ORDER BY job.id
"""

EXECUTIONS = f"""
INSERT INTO {Execution._meta.db_table} (fire_id, job_id, item, state, live, due_at,
    attempt, failures, deaths, reason, message)
SELECT fire.id, fire.job_id, item.number, '{ExecutionState.PENDING.value}', TRUE, fire.fire_time, 0, 0, 0, '', ''
FROM {Fire._meta.db_table} fire
JOIN {Item._meta.db_table} item ON item.job_id = fire.job_id AND item.number < fire.total
WHERE fire.id IN (%s) ORDER BY fire.id, item.number
"""


def insert_fires(openings: Mapping[int, Opening], by: str, now: datetime) -> None:
    """Insert the open fires of job → opening, whose cursors are locked: rows are as the opening knows them."""
    adapted, opened_at = connection.ops.adapt_datetimefield_value, connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        for (fire_time, parameters), jobs in sorted(_alike(openings).items(), key=lambda pair: pair[0][0]):
            for batch in _batches(jobs):
                cursor.execute(_among(FIRES, batch), [adapted(fire_time), parameters, opened_at, by])


def _alike(openings: Mapping[int, Opening]) -> Mapping[tuple[datetime, Any], list[int]]:
    """Return (fire time, parameters as they are stored) → the jobs with such a fire."""
    alike: dict[tuple[datetime, Any], list[int]] = defaultdict(list)
    for job, opening in openings.items():
        parameters = connection.ops.adapt_json_value(written_parameters(opening), None)
        for fire_time in opening.fires:
            alike[fire_time, parameters].append(job)
    return alike


def insert_executions(fires: Iterable[int], wanted: int) -> None:
    """Insert a pending execution for every item of these fires; raise `BrokenLedger` if they are not so many."""
    found = 0
    with connection.cursor() as cursor:
        for batch in _batches(sorted(fires)):
            cursor.execute(_among(EXECUTIONS, batch))
            found += cursor.rowcount
    if found != wanted:
        raise BrokenLedger(
            _("the ledger has rows for %(found)s of %(wanted)s items to open: save the job again"),
            found=found,
            wanted=wanted,
        )


def _among(statement: str, ids: Iterable[int]) -> str:
    """Return the statement with these ids in its last place: two hundred parameters would take longer than it does."""
    before, after = statement.rsplit("%s", 1)
    return before + ", ".join(str(int(id)) for id in ids) + after


def written_parameters(opening: Opening) -> dict[str, str]:
    """Return the item parameters as a fire's row keeps them."""
    return {str(item): parameter for item, parameter in opening.job.item_parameters.items()}


def _batches(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
