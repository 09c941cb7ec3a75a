"""What the registry and the ledger show of the instances, read at once; another registry changes only this module."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from scheduling.database.clock import DatabaseNow
from scheduling.database.registry import SESSION_TIMEOUT, DatabaseRegistry, available
from scheduling.domain.cluster import Cluster
from scheduling.domain.errors import RegistryUnavailable
from scheduling.domain.instance import InstanceState
from scheduling.domain.ranges import to_ranges
from scheduling.models import Instance, Item, Registration
from scheduling.models.job import as_validation_error
from scheduling.runtime.session import LEASE

"""Seconds after its last beat for which an instance goes on starting executions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One reading; `trouble` says why the registry gave no answer."""

    cluster: Cluster = field(default_factory=Cluster)
    silent: frozenset[str] = frozenset()
    held: Mapping[str | None, int] = field(default_factory=dict)
    trouble: str = ""

    def state_of(self, row: Instance) -> InstanceState | None:
        """Return the state of an instance; None if only the registry could tell."""
        if row.died_at is not None:
            return InstanceState.LEFT if row.died_by == row.id else InstanceState.DEAD
        if self.trouble:
            return None
        registered = self.cluster.instances.get(row.id)
        if registered is None or row.id in self.silent:
            return InstanceState.HOLDING
        return InstanceState.DRAINING if registered.draining else InstanceState.LIVE

    def owned_by(self, instance: str) -> dict[str, str]:
        """Return job → the items that the instance owns, as in "0-2, 5"."""
        ranges = {job: to_ranges(owners).get(instance, []) for job, owners in sorted(self.cluster.assignments.items())}
        return {job: ", ".join(_span(*pair) for pair in pairs) for job, pairs in ranges.items() if pairs}

    def number_owned_by(self, instance: str) -> int:
        """Return how many items of all jobs the instance owns."""
        return sum(owner == instance for owners in self.cluster.assignments.values() for owner in owners.values())


def read_overview() -> Overview:
    """Read registry and ledger; a registry that gives no answer leaves what the ledger knows."""
    try:
        cluster, silent = DatabaseRegistry().cluster(), _silent()
    except RegistryUnavailable as error:
        return Overview(held=_held(), trouble=" ".join(as_validation_error(error).messages))
    return Overview(cluster=cluster, silent=silent, held=_held())


def _silent() -> frozenset[str]:
    with available():
        late = Registration.objects.filter(seen_at__lt=DatabaseNow() - timedelta(seconds=LEASE * SESSION_TIMEOUT))
        return frozenset(late.values_list("instance", flat=True))


def _held() -> Mapping[str | None, int]:
    return Counter(Item.objects.filter(instance_id__isnull=False).values_list("instance_id", flat=True))


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"
