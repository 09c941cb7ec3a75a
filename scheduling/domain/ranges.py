"""Items written as ranges: instance → [[first, last], …], the form in which owners are published."""

from collections.abc import Iterable, Mapping
from itertools import groupby

from scheduling.domain.job import MAX_SHARDING_TOTAL_COUNT


def to_ranges(owners: Mapping[int, str]) -> dict[str, list[list[int]]]:
    """Write item → instance as instance → [[first, last], …], the form that is published."""
    ranges: dict[str, list[list[int]]] = {}
    for instance in sorted(set(owners.values())):
        items = enumerate(sorted(item for item, owner in owners.items() if owner == instance))
        runs = (list(run) for _, run in groupby(items, key=lambda pair: pair[1] - pair[0]))
        ranges[instance] = [[run[0][1], run[-1][1]] for run in runs]
    return ranges


def from_ranges(ranges: Mapping[str, Iterable[Iterable[int]]]) -> dict[int, str]:
    """Read what `to_ranges` wrote; raise `ValueError` for items that no job can have."""
    owners: dict[int, str] = {}
    for instance, pairs in ranges.items():
        for first, last in pairs:
            if not 0 <= first <= last < MAX_SHARDING_TOTAL_COUNT:
                raise ValueError(f"items {first} to {last} are outside 0-{MAX_SHARDING_TOTAL_COUNT - 1}")
            owners.update(dict.fromkeys(range(first, last + 1), instance))
    return owners
