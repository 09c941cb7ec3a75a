"""Instances that are frozen around and within `context.once()`, and wake up when others have done their work.

A batch freezes four of five instances at once, each with an item of its own, so that the fifth goes on with the work of
all.
"""

import time
from collections.abc import Mapping
from typing import Any

from benchmarks.failover.cluster import ITEMS, JOB, SESSION, TIMEOUT, Cluster, Host, Note, await_even, cluster
from benchmarks.failover.commits import Loss
from benchmarks.site import eventually
from scheduling.database.limits import LEDGER_IDLE_SECONDS

BEFORE, INSIDE, AFTER = "before", "inside", "after"
ON_ITS_WAY, DONE = "while its commit was on its way", "while the answer to its commit was on its way"
PLANS = (
    (BEFORE, INSIDE, INSIDE, DONE),
    (ON_ITS_WAY, INSIDE, INSIDE, AFTER),
    (BEFORE, INSIDE, INSIDE, DONE),
    (ON_ITS_WAY, INSIDE, INSIDE, DONE),
    (BEFORE, INSIDE, INSIDE, AFTER),
)
"""For each batch, where the instances with the items 0 to 3 are frozen; the one with the last item survives."""

LOST_AGAIN = {0: False, 1: True}
"""Items whose re-run loses its commit, too: whether that arrives, and only the answer is lost."""

LIMIT = SESSION + LEDGER_IDLE_SECONDS + 1
SETTINGS = (
    f"MariaDB and ZooKeeper with tickTime=500, session timeout {SESSION:.0f} s, idle limit {LEDGER_IDLE_SECONDS} s."
)


def measure(batches: int) -> dict[str, Any]:
    """Freeze in so many batches of four rounds; return what came of each round."""
    rounds: list[dict[str, Any]] = []
    with cluster() as lent:
        try:
            for plan in PLANS[:batches]:
                rounds += freeze(lent, plan)
        except BaseException:
            print("\n".join(lent.site.log_lines()[-100:]))
            raise
    return {"limit": LIMIT, "rounds": rounds}


def freeze(lent: Cluster, plan: tuple[str, ...]) -> list[dict[str, Any]]:
    """Freeze an instance at each point of the plan, let the last one do their work, and thaw them."""
    await_even(lent)
    time.sleep(SESSION + 1)  # only who has been there for a session declares a death
    batch = Batch(lent, plan)
    frozen_at = batch.freeze()
    begun = batch.run_again()
    batch.thaw()
    return [
        {
            "point": point,
            "begun again": round(begun[item].time - frozen_at[item], 3),
            "lost replies": batch.lost_replies(item),
            "outcomes": [batch.outcome(item, attempt) for attempt in (1, 2)],
            "effects": batch.effects(item),
        }
        for item, point in enumerate(plan)
    ]


class Batch:
    """One fire, four of whose five items stop halfway."""

    def __init__(self, lent: Cluster, plan: tuple[str, ...]) -> None:
        self._lent = lent
        self._plan = plan
        self._after = len(lent.notes(0))
        self._again: dict[int, Loss] = {}
        points = dict(enumerate(plan))
        lent.tell({item: point for item, point in points.items() if point in (BEFORE, INSIDE, AFTER)})
        self._losses = {
            item: Loss(text=name_of(item), arrives=point == DONE)
            for item, point in points.items()
            if point in (DONE, ON_ITS_WAY)
        }
        for host in lent.hosts:
            for loss in self._losses.values():
                host.commits.lose(loss)

    def freeze(self) -> dict[int, float]:
        """Start the fire, and freeze each instance where it is to be; return when."""
        self._lent.site.run("manage.py", "jobs", "run", JOB)
        eventually(self._are_there, TIMEOUT, "each is where it is to be frozen")
        for host in self._lent.hosts:
            host.commits.forget()
        if len(set(self._pids().values())) != ITEMS:
            raise RuntimeError("two items in one instance")
        hosts = self._hosts_by_item()
        self._lose_again(hosts[ITEMS - 1])
        frozen_at = {}
        for item in range(len(self._plan)):
            frozen_at[item] = time.time()
            hosts[item].freeze()
        for loss in self._losses.values():
            loss.cut.set()
        self._frozen = [hosts[item] for item in range(len(self._plan))]
        return frozen_at

    def run_again(self) -> Mapping[int, Note]:
        """Wait until the last instance has done all work; return the starts of the second attempts."""
        eventually(lambda: len(self._ends(2)) == len(self._plan), TIMEOUT, "all are done elsewhere")
        return {note.item: note for note in self._notes("start") if note.attempt == 2}

    def thaw(self) -> None:
        """Let those that were frozen go on, and wait until they have ended."""
        self._lent.release()
        for host in self._frozen:
            host.thaw()
        eventually(lambda: len(self._ends(1)) == ITEMS, TIMEOUT, "those that were frozen have ended")

    def outcome(self, item: int, attempt: int) -> str:
        """Return what an attempt came to, for its handler: done, or the name of an error."""
        return self._ends(attempt)[item].outcome

    def effects(self, item: int) -> int:
        """Return how many times the handler's two rows are there; a row without the other is an error."""
        execution = self._ends(1)[item].execution
        rows = self._lent.rows(f"SELECT attempt, part FROM bench_effect WHERE execution = {execution}")
        first, second = (sorted(attempt for attempt, part in rows if part == each) for each in (1, 2))
        if first != second:
            raise RuntimeError(f"item {item}: half of an effect is there: {rows}")
        return len(first)

    def lost_replies(self, item: int) -> int:
        """Return how many commits of the execution were lost, or the answers to them."""
        losses = [losses[item] for losses in (self._losses, self._again) if item in losses]
        return sum(loss.held.is_set() for loss in losses)

    def _lose_again(self, survivor: Host) -> None:
        for item, arrives in LOST_AGAIN.items():
            loss = Loss(text=name_of(item), arrives=arrives)
            loss.cut.set()
            self._again[item] = survivor.commits.lose(loss)

    def _are_there(self) -> bool:
        stopped = {(note.item, note.event) for note in self._notes(BEFORE, INSIDE, AFTER)}
        wanted = {each for each in enumerate(self._plan) if each[1] in (BEFORE, INSIDE, AFTER)}
        held = all(loss.held.is_set() for loss in self._losses.values())
        return stopped == wanted and held and len(self._pids()) == ITEMS

    def _hosts_by_item(self) -> dict[int, Host]:
        hosts = {host.pid: host for host in self._lent.hosts}
        return {item: hosts[pid] for item, pid in self._pids().items()}

    def _pids(self) -> dict[int, int]:
        return {note.item: note.pid for note in self._notes("start")}

    def _ends(self, attempt: int) -> dict[int, Note]:
        return {note.item: note for note in self._notes("end") if note.attempt == attempt}

    def _notes(self, *events: str) -> list[Note]:
        return [note for note in self._lent.notes(self._after) if note.event in events]


def name_of(item: int) -> bytes:
    """Return how a statement names the marker of an item's `once`."""
    return f"'pay-{item}'".encode()
