"""Whom a fault concerns: one of a server everybody, one of a node those whose items it owned, or whom it led."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

from chaos.shadows import EDITS, after, starts
from chaos.values import Fault, History, Lead, Share

Place = tuple[str, int | None]
"""A job and an item of it, or the job and none: all of them."""

SEEN_LATE = 2.0
"""Seconds by which the rig may see later than the schedulers who owns what."""

GRACE = 6.0
"""Seconds that an undisturbed run may be late on a machine that others use as well."""

MOST = 45.0
"""Seconds that all faults together may keep a run back, however many there are."""

LAG = 3.0
"""Seconds that the machine alone may keep one fire in `RARELY` back."""

RARELY = 40


Seen = TypeVar("Seen", Share, Lead)


class Concerns:
    """The faults of a history, by the job and item that they may have kept back."""

    def __init__(self, history: History) -> None:
        self._faults = sorted((f for f in history.faults if f.kind not in EDITS), key=lambda fault: fault.begin)
        self._node_of = {entry.instance: entry.node for entry in history.entries}
        self._names = set(history.nodes)
        self._owned = self._owners(history)
        self._led = [(begin, end, self._node(lead.instance)) for begin, end, lead in _spans(history.leads, history.end)]
        self._ran: dict[Place, list[tuple[float, str]]] = defaultdict(list)
        for entry in sorted(starts(history), key=lambda entry: entry.at):
            for place in (entry.slice, (entry.job, None)):
                self._ran[place].append((entry.at, entry.node))

    def touching(self, place: Place, begin: float, end: float) -> list[Fault]:
        """Return the faults that may have kept this job or item back between two times."""
        near = [fault for fault in self._faults if fault.begin <= end and begin <= after(fault)]
        if all(not fault.nodes for fault in near):
            return near
        nodes = self.nodes(place, begin, end)
        return [fault for fault in near if not fault.nodes or "" in nodes or nodes & set(fault.nodes)]

    def alone(self, node: str, begin: float, end: float) -> bool:
        """May all others have been away for a moment between two times?"""
        near = [fault for fault in self._faults if fault.begin <= end and begin <= after(fault)]
        hit = {each for fault in near for each in fault.nodes}
        return any(not fault.nodes for fault in near) or self._names - {node} <= hit

    def latest(self, place: Place, free_at: float, release: float) -> float:
        """Return when that has to have happened which was due at `release`, and possible from `free_at` on."""
        deadline, before = free_at + GRACE, 0.0
        while deadline > before:
            before = deadline
            for fault in self.touching(place, release, deadline):
                deadline = max(deadline, after(fault) + GRACE)
            deadline = min(deadline, free_at + MOST)
        return deadline

    def nodes(self, place: Place, begin: float, end: float) -> set[str]:
        """Return the nodes that owned this, ran it, or led, between two times; "" stands for one that is not known."""
        spans = [*self._owned.get(place, []), *self._led]
        found = {node for since, until, node in spans if since <= end and begin <= until}
        ran = self._ran.get(place, [])
        first = max(0, bisect_left(ran, (begin, "")) - 1)
        found |= {node for _, node in ran[first : bisect_right(ran, (end, "~")) + 1]}
        return found or {""}

    def _owners(self, history: History) -> dict[Place, list[tuple[float, float, str]]]:
        by_job, found = defaultdict(list), defaultdict(list)
        for share in history.shares:
            by_job[share.job].append(share)
        for job, shares in by_job.items():
            for begin, end, share in _spans(shares, history.end):
                for instance, ranges in share.owners.items():
                    span = (begin, end, self._node(instance))
                    items = [item for first, last in ranges for item in range(first, last + 1)]
                    for place in [(job, None), *((job, item) for item in items)]:
                        found[place].append(span)
        return found

    def _node(self, instance: str) -> str:
        return self._node_of.get(instance, "")


def _spans(seen: Sequence[Seen], end: float) -> list[tuple[float, float, Seen]]:
    """Return what was seen with when it may have begun and ended to be so."""
    untils = [*(each.at for each in seen[1:]), end]
    return [(each.at - SEEN_LATE, until + SEEN_LATE, each) for each, until in zip(seen, untils, strict=False)]
