"""Sharding strategies: pure functions `strategy(job, items, instances, previous) -> {item: instance}`.

`items` are numbers in order, `instances` those that may own them by their ids, in the order in which they are to be
taken (a plain sequence of ids does where only ids are asked for), `previous` the last answer (its instances may be
gone). Every item gets exactly one instance; no instances, no owners.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from scheduling.domain.instance import Instance
from scheduling.domain.job import Job

Strategy = Callable[[Job, Sequence[int], Mapping[str, Instance], Mapping[int, str]], dict[int, str]]


def sticky(job: Job, items: Sequence[int], instances: Collection[str], previous: Mapping[int, str]) -> dict[int, str]:
    """Move as few items as shares that differ by at most one allow; an item stays where it is if it can."""
    return _shared_out(items, dict.fromkeys(instances, 1), previous)


def weighted(
    job: Job, items: Sequence[int], instances: Mapping[str, Instance], previous: Mapping[int, str]
) -> dict[int, str]:
    """Share out by capacity, and move as few items as these shares allow.

    A share differs from its exact proportion by less than one: the largest remainders are rounded up.
    """
    return _shared_out(items, {id: instance.capacity for id, instance in instances.items()}, previous)


def average_allocation(
    job: Job, items: Sequence[int], instances: Collection[str], previous: Mapping[int, str]
) -> dict[int, str]:
    """Give each instance one block of neighbours, and what is left one by one from the first instance.

    Source: ElasticJob's AVG_ALLOCATION; 10 items over 3 instances are 0,1,2,9 | 3,4,5 | 6,7,8.
    """
    if not instances:
        return {}
    ids = list(instances)
    share = len(items) // len(ids)
    blocks = share * len(ids)
    return {item: ids[at // share if at < blocks else at - blocks] for at, item in enumerate(items)}


def odevity(job: Job, items: Sequence[int], instances: Collection[str], previous: Mapping[int, str]) -> dict[int, str]:
    """Allocate evenly, from the last instance on if the hash of the job's name is even.

    Source: ElasticJob's ODEVITY.
    """
    ids = list(instances)
    return average_allocation(job, items, ids if java_hash(job.name) % 2 else ids[::-1], previous)


def round_robin(
    job: Job, items: Sequence[int], instances: Collection[str], previous: Mapping[int, str]
) -> dict[int, str]:
    """Allocate evenly, from that instance on that the hash of the job's name names.

    Source: ElasticJob's ROUND_ROBIN. Java has no absolute value of the smallest hash, and fails; here it is 2^31.
    """
    ids = list(instances)
    first = abs(java_hash(job.name)) % len(ids) if ids else 0
    return average_allocation(job, items, ids[first:] + ids[:first], previous)


def staying(job: Job, items: Sequence[int], instances: Collection[str], previous: Mapping[int, str]) -> dict[int, str]:
    """Move nothing that can stay, and level the shares only with the items that need a new owner."""
    owners = {item: previous[item] for item in items if previous.get(item) in instances}
    held = dict.fromkeys(instances, 0)
    for owner in owners.values():
        held[owner] += 1
    homeless = [item for item in items if item not in owners]
    for item in homeless if held else ():
        least = min(held, key=held.__getitem__)
        owners[item] = least
        held[least] += 1
    return dict(sorted(owners.items()))


def java_hash(text: str) -> int:
    """Return Java's `String.hashCode()`: 32 bits with a sign, over UTF-16 units."""
    code = 0
    for high, low in zip(*[iter(text.encode("utf-16-be", "surrogatepass"))] * 2, strict=True):
        code = (31 * code + (high << 8 | low)) & 0xFFFFFFFF
    return code - (1 << 32) if code >> 31 else code


def _shared_out(items: Sequence[int], weights: Mapping[str, int], previous: Mapping[int, str]) -> dict[int, str]:
    if not weights:
        return {}
    kept = _kept(items, weights, previous)
    quotas = _quotas(len(items), weights, kept)
    owners = {item: name for name in weights for item in kept[name][: quotas[name]]}
    homeless = [item for item in items if item not in owners]
    room = [name for name in weights for _slot in range(quotas[name] - len(kept[name]))]
    owners.update(zip(homeless, room, strict=True))
    return dict(sorted(owners.items()))


def _kept(items: Sequence[int], instances: Collection[str], previous: Mapping[int, str]) -> dict[str, list[int]]:
    kept: dict[str, list[int]] = {name: [] for name in instances}
    for item in items:
        if previous.get(item) in kept:
            kept[previous[item]].append(item)
    return kept


def _quotas(count: int, weights: Mapping[str, int], kept: Mapping[str, list[int]]) -> dict[str, int]:
    whole = sum(weights.values())
    shares = {name: count * weight // whole for name, weight in weights.items()}

    def claim_to_one_more(name: str) -> tuple[int, int]:
        # Among equal remainders, who holds most beyond its share: each item beyond its quota is one that has to move.
        return count * weights[name] % whole, len(kept[name]) - shares[name]

    rest = count - sum(shares.values())
    larger = set(sorted(weights, key=claim_to_one_more, reverse=True)[:rest])
    return {name: share + (name in larger) for name, share in shares.items()}
