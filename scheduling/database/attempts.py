"""Attempts, made of the rows that a claim has won and of the fires they belong to."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from scheduling.database.rows import Rows
from scheduling.domain.fire import Attempt
from scheduling.models import Execution, Fire

logger = logging.getLogger("scheduling.database")

FIRES_REMEMBERED = 1_000


class _Claimed(NamedTuple):
    execution: int
    fire: int
    job: int
    item: int
    token: int | None
    attempt: int
    failures: int


class OpenFire(NamedTuple):
    """What attempts need to know of their fire."""

    id: int
    fire_time: datetime
    run: int
    total: int
    parameters: Any


class AttemptReader:
    """Reads attempts; each fire only once, as it may have the parameters of 10,000 items."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._fires: dict[int, OpenFire] = {}

    def read(self, claimed: QuerySet[Execution]) -> tuple[Attempt, ...]:
        """Return the attempts that these rows are now."""
        # Plain values: a model instance costs more than all else that is done with it here.
        columns = ("id", "fire_id", "job_id", "item", "token", "attempt", "failures")
        found = [_Claimed(*row) for row in claimed.values_list(*columns)]
        names = self._rows.names(row.job for row in found)
        fires = self._fires_of({row.fire for row in found})
        return tuple(_attempt(row, fires[row.fire], names[row.job]) for row in found)

    def remember(self, fires: Iterable[OpenFire]) -> None:
        """Spare the reading of fires that were opened here."""
        known = {fire.id: fire for fire in fires}
        if len(self._fires) + len(known) > FIRES_REMEMBERED:
            self._fires.clear()
        self._fires.update(known)

    def _fires_of(self, ids: Iterable[int]) -> Mapping[int, OpenFire]:
        wanted = set(ids)
        found = {id: self._fires[id] for id in wanted & self._fires.keys()}
        if missing := sorted(wanted - found.keys()):
            rows = Fire.objects.filter(id__in=missing).values_list(*OpenFire._fields)
            found |= {row[0]: _fire(OpenFire(*row)) for row in rows}
            self.remember(found.values())
        return found


def _fire(fire: OpenFire) -> OpenFire:
    try:
        return fire._replace(parameters={int(item): str(parameter) for item, parameter in fire.parameters.items()})
    except (AttributeError, ValueError, TypeError):
        logger.error("fire %s runs without item parameters: %.80r are none", fire.id, fire.parameters)
        return fire._replace(parameters={})


def _attempt(row: _Claimed, fire: OpenFire, job: str) -> Attempt:
    return Attempt(
        execution=row.execution,
        fire=row.fire,
        job=job,
        item=row.item,
        token=row.token or 0,
        number=row.attempt,
        fire_time=fire.fire_time,
        run=fire.run,
        total=fire.total,
        failures=row.failures,
        parameters=fire.parameters,
    )
