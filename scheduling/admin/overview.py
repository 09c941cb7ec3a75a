"""What the leader last saw in the registry, and what the ledger knows of the instances, read at once."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from scheduling.admin.times import duration, written, zone_named
from scheduling.database.snapshot import Seen, read_snapshot
from scheduling.domain.cluster import Cluster
from scheduling.domain.instance import InstanceState
from scheduling.domain.ranges import to_ranges
from scheduling.models import Instance, Item, Snapshot

Owned = Mapping[str, Mapping[str, list[list[int]]]]
"""instance → job → ranges of items"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One reading; `trouble` says why what the registry shows is not known now."""

    cluster: Cluster = field(default_factory=Cluster)
    owned: Owned = field(default_factory=dict)
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
        return registered.state

    def owned_by(self, instance: str) -> dict[str, str]:
        """Return job → the items that the instance owns, as in "0-2, 5"."""
        ranges = self.owned.get(instance, {})
        return {job: ", ".join(_span(*pair) for pair in pairs) for job, pairs in ranges.items()}

    def number_owned_by(self, instance: str) -> int:
        """Return how many items of all jobs the instance owns."""
        return sum(last - first + 1 for pairs in self.owned.get(instance, {}).values() for first, last in pairs)


def read_overview() -> Overview:
    """Read snapshot and ledger; where the snapshot is old, only the ledger counts."""
    seen = read_snapshot()
    if seen is None or not seen.is_fresh:
        return Overview(held=_held(), trouble=_trouble(seen))
    return Overview(cluster=seen.cluster, owned=_owned(seen.cluster), held=_held())


def _owned(cluster: Cluster) -> Owned:
    owned: dict[str, dict[str, list[list[int]]]] = defaultdict(dict)
    for job, owners in sorted(cluster.assignments.items()):
        for instance, ranges in to_ranges(owners).items():
            owned[instance][job] = ranges
    return owned


def _trouble(seen: Seen | None) -> str:
    if seen:
        return _(
            "Leader %(leader)s last looked on %(time)s, %(age)s ago: "
            "is a `runscheduler` running, and can it reach the registry that REGISTRY_URL names?"
        ) % {"leader": seen.cluster.leader, "time": _when(seen.looked_at), "age": duration(seen.age)}
    if Snapshot.objects.exists():
        return _(
            "What the last leader wrote cannot be read (the log says why): "
            "do the web processes and `runscheduler` run the same release?"
        )
    return _(
        "No instance has led yet: is a `runscheduler` running, and can it reach the registry that REGISTRY_URL names?"
    )


def _when(time: datetime) -> str:
    zone = timezone.get_current_timezone_name()
    return f"{written(time, zone_named(zone), pgettext('date and time', 'j M Y, H:i:s'))} {zone}"


def _held() -> Mapping[str | None, int]:
    return Counter(Item.objects.filter(instance_id__isnull=False).values_list("instance_id", flat=True))


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"
