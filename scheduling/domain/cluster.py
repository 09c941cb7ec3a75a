"""What the registry shows: the live instances, the leader and who owns which item, and what the leader makes of it."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from scheduling.domain.errors import InvalidJob
from scheduling.domain.fire import LiveExecution
from scheduling.domain.instance import Instance
from scheduling.domain.job import Job
from scheduling.domain.retry import retried_by
from scheduling.domain.sharding import staying
from scheduling.domain.strategies import owners_by_strategy

Assignments = Mapping[str, Mapping[int, str]]
"""job → item → instance"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One reading of the registry; `jobs` are the published ones.

    `foreign` names what none of us has written; publishing again mends it.
    """

    instances: Mapping[str, Instance] = field(default_factory=dict)
    leader: str | None = None
    epoch: int = 0
    jobs: Mapping[str, Job] = field(default_factory=dict)
    assignments: Assignments = field(default_factory=dict)
    foreign: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What the leader has to publish, and, by job, why it could not follow a strategy."""

    assignments: dict[str, dict[int, str]]
    faults: dict[str, InvalidJob]

    def applied_to(self, assignments: Assignments) -> dict[str, Mapping[int, str]]:
        """Return what the registry shows once they are published."""
        return {job: owners for job, owners in {**assignments, **self.assignments}.items() if owners}


def items_of(instance: str, assignments: Assignments) -> dict[str, frozenset[int]]:
    """Return job → the items that `instance` owns, without the jobs of which it owns none."""
    mine = {name: {item for item, owner in owners.items() if owner == instance} for name, owners in assignments.items()}
    return {name: frozenset(items) for name, items in mine.items() if items}


def opens_first(instance: str, job: str, assignments: Assignments) -> bool:
    """Does `instance` own the job's lowest item, and so open its fires?"""
    owners = assignments.get(job, {})
    return bool(owners) and owners[min(owners)] == instance


def taker(execution: LiveExecution, cluster: Cluster) -> str | None:
    """Return which instance claims an execution: the owner of its item, or whoever attempts it again elsewhere."""
    owner = cluster.assignments.get(execution.job, {}).get(execution.item)
    job = cluster.jobs.get(execution.job)
    if job is None or not execution.failed_on or not job.retry.moves:
        return owner
    return retried_by(execution.failed_on, owner, _able(job, cluster))


def retried_anywhere(cluster: Cluster, handlers: Set[str]) -> set[str]:
    """Return the jobs of these handlers whose failed executions may move, whoever owns their items."""
    return {job.name for job in cluster.jobs.values() if job.retry.moves and job.handler in handlers}


def assignments_due(jobs: Iterable[Job], cluster: Cluster, live_items: Mapping[str, Set[int]]) -> Due:
    """Return the assignments to publish: of those jobs whose owners have to change, the new ones; empty if retired.

    They cover every item below the total, and every higher one in `live_items`: it still has a live execution.
    Where a strategy can't be followed, every item stays where it is if it can.
    """
    faults: dict[str, InvalidJob] = {}
    wanted = {job.name: _owners(job, cluster, live_items.get(job.name, frozenset()), faults) for job in jobs}
    gone: dict[str, dict[int, str]] = {name: {} for name in cluster.assignments if name not in wanted}
    changed = {name: owners for name, owners in (wanted | gone).items() if owners != cluster.assignments.get(name, {})}
    return Due(assignments=changed, faults=faults)


def _owners(job: Job, cluster: Cluster, live_items: Set[int], faults: dict[str, InvalidJob]) -> dict[int, str]:
    items = [*range(job.sharding_total_count), *sorted(i for i in live_items if i >= job.sharding_total_count)]
    able, previous = _able(job, cluster), cluster.assignments.get(job.name, {})
    try:
        return owners_by_strategy(job, items, able, previous)
    except InvalidJob as error:
        faults[job.name] = error
        return staying(job, items, able, previous)


def _able(job: Job, cluster: Cluster) -> dict[str, Instance]:
    # In the order in which ElasticJob hands them to its strategies: from the last id to the first.
    instances = sorted(cluster.instances.values(), key=lambda instance: instance.id, reverse=True)
    return {i.id: i for i in instances if i.takes_items and job.handler in i.handlers}
