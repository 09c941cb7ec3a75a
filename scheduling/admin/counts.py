"""How many executions of each fire are in which state, read in one bounded query."""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Sum, Value

from scheduling.admin.words import ItemCounts
from scheduling.models import Execution, Fire

AT_MOST = 20_000
"""Executions that one page counts."""


def count_items(fires: Iterable[Fire]) -> dict[int, ItemCounts]:
    """Return fire → how many of its executions are in which state, without the fires that are too much to count."""
    counts: dict[int, dict[str, int]] = {fire: defaultdict(int) for fire in _countable(fires)}
    by_state = Execution.objects.filter(fire__in=counts).order_by().values_list("fire_id", "state")
    for fire, state, number in by_state.annotate(number=Sum(Value(1))) if counts else ():
        counts[fire][state] = number
    return dict(counts)


def _countable(fires: Iterable[Fire]) -> Iterable[int]:
    room = AT_MOST
    for fire in fires:
        if not fire.missed_count and fire.total <= room:
            room -= fire.total
            yield fire.pk
