"""What the registry shows: the live instances, the leader and who owns which item, and what the leader makes of it."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from scheduling.domain.instance import Instance
from scheduling.domain.job import Job
from scheduling.domain.sharding import strategy_named

Assignments = Mapping[str, Mapping[int, str]]
"""job → item → instance"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One reading of the registry; `jobs` are the published ones."""

    instances: Mapping[str, Instance] = field(default_factory=dict)
    leader: str | None = None
    epoch: int = 0
    jobs: Mapping[str, Job] = field(default_factory=dict)
    assignments: Assignments = field(default_factory=dict)


def items_of(instance: str, assignments: Assignments) -> dict[str, frozenset[int]]:
    """Return job → the items that `instance` owns, without the jobs of which it owns none."""
    mine = {name: {item for item, owner in owners.items() if owner == instance} for name, owners in assignments.items()}
    return {name: frozenset(items) for name, items in mine.items() if items}


def opens_first(instance: str, job: str, assignments: Assignments) -> bool:
    """Does `instance` own the job's lowest item, and so open its fires?"""
    owners = assignments.get(job, {})
    return bool(owners) and owners[min(owners)] == instance


def assignments_due(
    jobs: Iterable[Job], cluster: Cluster, live_items: Mapping[str, Set[int]]
) -> dict[str, dict[int, str]]:
    """Return the assignments to publish: of those jobs whose owners have to change, the new ones; empty if retired.

    They cover every item below the total, and every higher one in `live_items`: it still has a live execution.
    """
    wanted = {job.name: _owners(job, cluster, live_items.get(job.name, frozenset())) for job in jobs}
    gone: dict[str, dict[int, str]] = {name: {} for name in cluster.assignments if name not in wanted}
    return {name: owners for name, owners in (wanted | gone).items() if owners != cluster.assignments.get(name, {})}


def _owners(job: Job, cluster: Cluster, live_items: Set[int]) -> dict[int, str]:
    able = sorted(i.id for i in cluster.instances.values() if not i.draining and job.handler in i.handlers)
    items = [*range(job.sharding_total_count), *sorted(i for i in live_items if i >= job.sharding_total_count)]
    return strategy_named(job.strategy)(job, items, able, cluster.assignments.get(job.name, {}))
