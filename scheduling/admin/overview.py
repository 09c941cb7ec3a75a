"""What the leader last saw in the registry, and what the ledger knows of the instances, read at once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from scheduling.database.snapshot import Seen, read_snapshot
from scheduling.domain.cluster import Cluster
from scheduling.domain.instance import InstanceState
from scheduling.domain.ranges import to_ranges
from scheduling.models import Instance, Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One reading; `trouble` says why what the registry shows is not known now."""

    cluster: Cluster = field(default_factory=Cluster)
    held: Mapping[str | None, int] = field(default_factory=dict)
    trouble: str = ""

    def state_of(self, row: Instance) -> InstanceState | None:
        """Return the state of an instance; None if only the registry could tell."""
        if row.died_at is not None:
            return InstanceState.LEFT if row.died_by == row.id else InstanceState.DEAD
        if self.trouble:
            return None
        registered = self.cluster.instances.get(row.id)
        if registered is None:
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
    """Read snapshot and ledger; where the snapshot is old, only the ledger counts."""
    seen = read_snapshot()
    if seen is None or not seen.is_fresh:
        return Overview(held=_held(), trouble=_trouble(seen))
    return Overview(cluster=seen.cluster, held=_held())


def _trouble(seen: Seen | None) -> str:
    if seen is None:
        return _("No instance has led yet: is a `runscheduler` running, and can it reach the registry?")
    return _(
        "The last leader, %(leader)s, looked %(seconds)s s ago: "
        "is a `runscheduler` running, and can it reach the registry?"
    ) % {"leader": seen.cluster.leader, "seconds": round(seen.age.total_seconds())}


def _held() -> Mapping[str | None, int]:
    return Counter(Item.objects.filter(instance_id__isnull=False).values_list("instance_id", flat=True))


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"
