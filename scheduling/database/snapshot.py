"""What the leader last saw in the registry, kept for the web processes: they have no registry of their own."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scheduling.database.clock import DatabaseNow, database_now
from scheduling.database.transactions import transact
from scheduling.domain.cluster import Cluster
from scheduling.domain.documents import instance_from_document, instance_to_document
from scheduling.domain.ranges import from_ranges, to_ranges
from scheduling.models import Snapshot

logger = logging.getLogger("scheduling.database")

FRESH_SECONDS = 5.0
"""The leader writes every two seconds; what is older than this may not be so any more."""

LOOKS_MOST = 5
"""So many looks in a row are only noted: a restore under live instances may have brought back an older document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the leader saw (without the published jobs), and when, by the database's clock."""

    cluster: Cluster
    looked_at: datetime
    age: timedelta

    @property
    def is_fresh(self) -> bool:
        """Is it what the registry shows now?"""
        return _is_fresh(self.age)


class SnapshotWriter:
    """Writes the one row: all of it when something has changed, else only that it was looked at."""

    def __init__(self) -> None:
        self._written: dict[str, Any] = {}
        self._looks = 0

    def write(self, cluster: Cluster, by: str) -> None:
        """Keep what the leader `by` sees."""
        shown = {"instances": cluster.instances, "assignments": cluster.assignments, "epoch": cluster.epoch}
        mine = Snapshot.objects.filter(id=1, leader=by, epoch=cluster.epoch)
        self._looks += 1
        if shown == self._written and self._looks < LOOKS_MOST and mine.update(looked_at=DatabaseNow()):
            return
        row = {"leader": by, "epoch": cluster.epoch, "document": _to_document(cluster), "looked_at": DatabaseNow()}
        transact(lambda: _put(row))
        self._written, self._looks = shown, 0


def _put(row: Mapping[str, Any]) -> None:
    # Updated without being read first: its document may have a megabyte.
    if not Snapshot.objects.filter(id=1).update(**row):
        Snapshot.objects.update_or_create(id=1, defaults=row)


def read_snapshot() -> Seen | None:
    """Return what was last written; None if nothing was, or nothing that can be read."""
    row = Snapshot.objects.filter(id=1).first()
    if row is None:
        return None
    try:
        cluster = _from_document(row.document, row.leader, row.epoch)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        logger.error("the snapshot of the registry cannot be read: %r", error)
        return None
    return Seen(cluster=cluster, looked_at=row.looked_at, age=database_now() - row.looked_at)


def is_snapshot_fresh() -> bool:
    """Has the leader looked lately? Asks for that alone: the document may have a megabyte."""
    looked_at = Snapshot.objects.filter(id=1).values_list("looked_at", flat=True).first()
    return looked_at is not None and _is_fresh(database_now() - looked_at)


def _is_fresh(age: timedelta) -> bool:
    # What is younger than now was written before the database's clock was set back.
    return abs(age.total_seconds()) <= FRESH_SECONDS


def _to_document(cluster: Cluster) -> dict[str, Any]:
    instances = {
        id: {
            **instance_to_document(instance),
            "state": str(instance.state),
        }
        for id, instance in cluster.instances.items()
    }
    return {
        "instances": instances,
        "assignments": {job: to_ranges(owners) for job, owners in cluster.assignments.items()},
    }


def _from_document(document: Mapping[str, Any], leader: str, epoch: int) -> Cluster:
    instances = {
        id: instance_from_document(id, {key: value for key, value in shown.items() if key != "state"})
        for id, shown in document["instances"].items()
    }
    assignments = {job: from_ranges(ranges) for job, ranges in document["assignments"].items()}
    return Cluster(instances=instances, leader=leader, epoch=epoch, assignments=assignments)
