"""The rows that fires begin with: statements that leave to the database what Django's `bulk_create` does for each row.

There, a row takes four times as long on its way through Python as in the database, and a hundred jobs are late.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from django.db import connection

from scheduling.domain.fire import ExecutionState, FireState
from scheduling.domain.misfire import Opening
from scheduling.models import Execution, Fire, Item
from scheduling.models.ledger import Kind

Row = TypeVar("Row")

BATCH = 200
"""Rows a statement: fewer cost more round trips, more are slower in MariaDB (measured)."""

FIRES = f"""
INSERT INTO {Fire._meta.db_table} (job_id, fire_time, revision, total, parameters, opened_at, opener,
    run, kind, asked_by, state, unsettled, reason, missed_count)
VALUES """
FIRE = f"(%s, %s, %s, %s, %s, %s, %s, 0, '{Kind.SCHEDULED.value}', '', '{FireState.OPEN.value}', TRUE, '', 0)"

EXECUTIONS = f"""
INSERT INTO {Execution._meta.db_table} (fire_id, job_id, item, state, live, due_at, attempt, reason, message)
SELECT fire.id, fire.job_id, item.number, '{ExecutionState.PENDING.value}', TRUE, fire.fire_time, 0, '', ''
FROM {Fire._meta.db_table} fire
JOIN {Item._meta.db_table} item ON item.job_id = fire.job_id AND item.number < fire.total
WHERE fire.id IN (%s) ORDER BY fire.id, item.number
"""


def insert_fires(openings: Mapping[int, Opening], by: str, now: datetime) -> None:
    """Insert the open fires of job → opening."""
    time, json = connection.ops.adapt_datetimefield_value, connection.ops.adapt_json_value
    rows = [
        (job, time(fire_time), opening.job.revision, opening.job.sharding_total_count, parameters, time(now), by)
        for job, opening in openings.items()
        for parameters in [json(written_parameters(opening), None)]
        for fire_time in opening.fires
    ]
    with connection.cursor() as cursor:
        for batch in _batches(rows):
            # One statement: `executemany` would send one for each row that holds anything but placeholders.
            cursor.execute(FIRES + ", ".join([FIRE] * len(batch)), [value for row in batch for value in row])


def insert_executions(fires: Iterable[int]) -> int:
    """Insert a pending execution for every item of these fires, and return how many."""
    inserted = 0
    with connection.cursor() as cursor:
        for batch in _batches(sorted(fires)):
            cursor.execute(EXECUTIONS % ", ".join(["%s"] * len(batch)), batch)
            inserted += cursor.rowcount
    return inserted


def written_parameters(opening: Opening) -> dict[str, str]:
    """Return the item parameters as a fire's row keeps them."""
    return {str(item): parameter for item, parameter in opening.job.item_parameters.items()}


def _batches(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
