"""Three replicas whose requests are interleaved step by step, checked against a model.

Each request runs in a thread of its own, and stops before each statement outside of a transaction and before each thing
that it asks of Redis. One thread runs at a time; which one goes on, what is cut and when, a `random.Random` chooses.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from logins import records
from logins.changes import Changes
from logins.gate import BELIEF_SECONDS, Gate
from logins.models import OutboxEntry, Session
from logins.record import COPY_SECONDS
from logins.store import Store
from logins.tests.memory import Link, Memory, RealRedis

REPLICAS = 3
THREADS = 5
SESSIONS = 2


class Violation(AssertionError):
    """A promise that was not kept."""


@dataclass
class Fact:
    """What the model knows of one session."""

    digest: str
    ended_at: float | None = None
    told_redis: bool = False
    is_ending: bool = False
    written: dict[str, tuple[float, bool]] = field(default_factory=dict)
    """Keys by name: when their change had returned, and whether Redis was told."""


class Lock:
    """A lock whose holder may be stopped: who waits for it stops too, instead of blocking the play."""

    def __init__(self, pause: Callable[[], None]) -> None:
        self._pause = pause
        self._is_held = False

    def acquire(self, timeout: float) -> bool:
        while self._is_held and timeout:
            self._pause()
        got, self._is_held = not self._is_held, True
        return got

    def release(self) -> None:
        self._is_held = False


class Replica:
    """One process: its link, its gate, its store."""

    def __init__(self, link: Link, clock: Callable[[], float]) -> None:
        self.link = link
        gate = Gate(link, records, clock)
        gate._looking = Lock(link.pause)  # type: ignore[assignment]
        self.store = Store(link, gate, clock)


class Worker(threading.Thread):
    """A thread that does one thing after another, and only as far as it is let."""

    def __init__(self, here: threading.local) -> None:
        super().__init__(daemon=True)
        self._here = here
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.task: Callable[[], None] | None = None
        self.error: BaseException | None = None
        self.start()

    def step(self) -> None:
        """Let it go on until it stops again."""
        self._go.release()
        assert self._stopped.acquire(timeout=20), "a worker neither stops nor ends"
        if self.error:
            raise self.error

    def pause(self) -> None:
        self._stopped.release()
        self._go.acquire()

    def run(self) -> None:
        self._here.worker = self
        while True:
            self._go.acquire()
            if self.task is None:
                connection.close()
                self._stopped.release()
                return
            self._here.done = []
            try:
                with connection.execute_wrapper(self._pause_before):
                    self.task()
            except BaseException as error:
                self.error = error
            self.task = None
            self._stopped.release()

    def _pause_before(self, execute: Any, *arguments: Any) -> Any:
        if not connection.in_atomic_block:
            self.pause()
        return execute(*arguments)


class History:
    """One play of requests, logouts, outages and recoveries."""

    def __init__(self, choose: random.Random, redis: RealRedis | None = None) -> None:
        self.choose = choose
        self.now = 1000.0
        self.memory = redis or Memory(lambda: self.now)
        self._here = threading.local()
        for table in (Session, OutboxEntry):
            table.objects.all().delete()
        links = [Link(self.memory, choose, self._pause, self._note) for _ in range(REPLICAS)]
        self.replicas = [Replica(link, lambda: self.now) for link in links]
        self.workers = [Worker(self._here) for _ in range(THREADS)]
        self.facts: list[Fact] = []
        self.lost_at = float("-inf")
        self.seen: dict[str, int] = {}
        self._names = 0

    def play(self, steps: int) -> None:
        """Do so many random things, then let everything end."""
        for _ in range(steps):
            self._do_something()
        while any(worker.task for worker in self.workers):
            self._step()
        for worker in self.workers:
            worker.step()  # without a task: it ends

    def _pause(self) -> None:
        if worker := getattr(self._here, "worker", None):
            worker.pause()

    def _note(self, name: str, key: Any) -> None:
        """Keep what this thread's request has asked of Redis, and got."""
        self._here.done.extend((name, digest) for digest in (key if name == "drop" else [key]))

    def _do_something(self) -> None:
        act = self.choose.choices(
            [self._step, self._begin, self._pass_time, self._cut, self._mend, self._flush, self._restart, self._keep],
            [40, 16, 4, 1, 2, 0.5, 0.5, 0.5],
        )[0]
        act()

    def _step(self) -> None:
        if busy := [worker for worker in self.workers if worker.task]:
            self.choose.choice(busy).step()

    def _begin(self) -> None:
        free = [worker for worker in self.workers if not worker.task]
        if not free:
            return
        replica = self.choose.choice(self.replicas)
        if sum(not fact.is_ending for fact in self.facts) < SESSIONS:
            free[0].task = lambda: self._log_in(replica)
        else:
            act = self.choose.choices([self._read, self._write, self._log_out], [10, 4, 2])[0]
            fact = self.choose.choice(self.facts[-SESSIONS - 1 :])
            free[0].task = lambda: act(replica, fact)
        free[0].step()

    def _pass_time(self) -> None:
        seconds = self.choose.choices([0.05, 0.2, 0.3, 0.6, 1.1, 6.0, 65.0, 350.0], [4, 4, 4, 4, 4, 4, 1, 1])[0]
        self.now += seconds
        if seconds > 1:  # the outbox is dated by the database's clock
            OutboxEntry.objects.update(written_at=F("written_at") - timedelta(seconds=seconds))

    def _cut(self) -> None:
        self.choose.choice(self.replicas).link.is_cut = True

    def _mend(self) -> None:
        self.choose.choice(self.replicas).link.mend()

    def _flush(self) -> None:
        self.memory.flush()

    def _restart(self) -> None:
        """Start Redis anew, with what it holds or as it was when it was kept."""
        if self.choose.random() < 0.5:
            self.memory.restart_from_older_state(f"server-{self._name()}")
            self.lost_at = self.now
        else:
            self.memory.restart(f"server-{self._name()}")

    def _keep(self) -> None:
        self.memory.keep()

    def _name(self) -> str:
        self._names += 1
        return str(self._names)

    # Requests

    def _log_in(self, replica: Replica) -> None:
        digest = self._name()
        assert records.insert(digest, {}, timezone.now() + timedelta(days=1))
        self.facts.append(Fact(digest))

    def _read(self, replica: Replica, fact: Fact) -> None:
        began, known = self.now, dict(fact.written)
        must_be_dead = self._must_be_dead(fact, began)
        may_be_dead = fact.is_ending
        record = replica.store.read(fact.digest)
        if record is None:
            if not (may_be_dead or fact.is_ending):
                raise Violation(f"{fact} was lost")
            return
        if must_be_dead and self.lost_at < began:
            raise Violation(f"{fact} answers, at {began}")
        self._count("read")
        for key, (at, told_redis) in known.items():
            due = at if told_redis else at + BELIEF_SECONDS
            if (
                key not in record.values and began >= due and began > self.lost_at + COPY_SECONDS
            ):  # old data may be read so long
                raise Violation(f"the change {key} of {fact} is not seen at {began}")

    def _write(self, replica: Replica, fact: Fact) -> None:
        seen = replica.store.read(fact.digest)
        if seen is None:
            return
        key = self._name()
        self._here.done.clear()  # the reading may have put a copy
        change = Changes(written={key: 1}, removed=frozenset())
        after = replica.store.change(fact.digest, seen, change, lambda values: seen.expires_at)
        if after is None:
            if not fact.is_ending:
                raise Violation(f"{fact} was lost to a change")
            return
        standing = records.read(fact.digest)
        if standing and (lost := fact.written.keys() - standing.values.keys()):
            raise Violation(f"{fact} has lost the changes {lost}")
        fact.written[key] = (self.now, ("put", fact.digest) in self._here.done)

    def _log_out(self, replica: Replica, fact: Fact) -> None:
        if fact.is_ending:
            return
        fact.is_ending = True
        replica.store.end([fact.digest])
        fact.told_redis = ("drop", fact.digest) in self._here.done
        fact.ended_at = self.now
        self._count("ended, Redis told" if fact.told_redis else "ended, Redis away")

    def _must_be_dead(self, fact: Fact, now: float) -> bool:
        """May nobody answer any more? A Redis that has lost what it was told counts as one that was away."""
        if fact.ended_at is None:
            return False
        ended_at = max(fact.ended_at, self.lost_at)
        return now >= ended_at + BELIEF_SECONDS or (fact.told_redis and self.lost_at < fact.ended_at)

    def _count(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1
