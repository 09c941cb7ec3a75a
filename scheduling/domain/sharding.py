"""Sharding strategies: pure functions `strategy(job, items, instances, previous) -> {item: instance}`.

`items` are numbers in order, `instances` the ids of the instances that may own them, in order, `previous` the last
answer (its instances may be gone). Every item gets exactly one instance; no instances, no owners.
"""

from collections.abc import Callable, Mapping, Sequence

from scheduling.domain.errors import InvalidJob
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.job import Job

Strategy = Callable[[Job, Sequence[int], Sequence[str], Mapping[int, str]], dict[int, str]]


def average_allocation(
    job: Job, items: Sequence[int], instances: Sequence[str], previous: Mapping[int, str]
) -> dict[int, str]:
    """Give each instance one block of neighbours, and what is left one by one from the first instance.

    Source: ElasticJob's AVG_ALLOCATION; 10 items over 3 instances are 0,1,2,9 | 3,4,5 | 6,7,8.
    """
    if not instances:
        return {}
    share, _rest = divmod(len(items), len(instances))
    blocks = share * len(instances)
    return {item: instances[at // share if at < blocks else at - blocks] for at, item in enumerate(items)}


def sticky(job: Job, items: Sequence[int], instances: Sequence[str], previous: Mapping[int, str]) -> dict[int, str]:
    """Move as few items as shares that differ by at most one allow; an item stays where it is if it can."""
    if not instances:
        return {}
    kept = _kept(items, instances, previous)
    quotas = _quotas(len(items), instances, kept)
    owners = {item: name for name in instances for item in kept[name][: quotas[name]]}
    homeless = [item for item in items if item not in owners]
    room = [name for name in instances for _slot in range(quotas[name] - len(kept[name]))]
    owners.update(zip(homeless, room, strict=True))
    return dict(sorted(owners.items()))


def _kept(items: Sequence[int], instances: Sequence[str], previous: Mapping[int, str]) -> dict[str, list[int]]:
    kept: dict[str, list[int]] = {name: [] for name in instances}
    for item in items:
        if previous.get(item) in kept:
            kept[previous[item]].append(item)
    return kept


def _quotas(count: int, instances: Sequence[str], kept: Mapping[str, list[int]]) -> dict[str, int]:
    # The instances that hold most get the larger shares: each item beyond its quota is one that has to move.
    share, rest = divmod(count, len(instances))
    larger = set(sorted(instances, key=lambda name: -len(kept[name]))[:rest])
    return {name: share + (name in larger) for name in instances}


STRATEGIES: dict[str, Strategy] = {"sticky": sticky, "average_allocation": average_allocation}


def strategy_named(name: str) -> Strategy:
    """Return the strategy; raise `InvalidJob` that lists the known ones."""
    if name not in STRATEGIES:
        raise InvalidJob(
            _("sharding strategy %(name)s is unknown: choose one of %(known)s"),
            name=repr(name),
            known=", ".join(STRATEGIES),
        )
    return STRATEGIES[name]
