"""A double of Redis in memory, with a link to it for each replica, and the faults of both."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.utils import timezone
from django_redis import get_redis_connection

from logins.copies import RESERVATION_SECONDS, CopiesUnavailable, RedisCopies
from logins.record import COPY_SECONDS, Record

T = TypeVar("T")


@dataclass
class Memory:
    """What stands under each key, and until when."""

    clock: Callable[[], float]
    found: dict[str, tuple[Record | str, float]] = field(default_factory=dict)
    server: str = "server-0"
    reservations: int = 0
    kept: dict[str, tuple[Record | str, float]] = field(default_factory=dict)

    def get(self, digest: str) -> Record | None:
        found = self._standing(digest)
        return found if isinstance(found, Record) else None

    def reserve(self, digest: str) -> str:
        return "" if self._standing(digest) else self.seize(digest)

    def seize(self, digest: str) -> str:
        self.reservations += 1
        reservation = f"reservation:{self.reservations}"
        self.found[digest] = reservation, self.clock() + RESERVATION_SECONDS
        return reservation

    def put(self, digest: str, record: Record, reservation: str) -> bool:
        found = self._standing(digest)
        if found == reservation or (isinstance(found, Record) and found.version < record.version):
            seconds = (record.expires_at - timezone.now()).total_seconds()
            self.found[digest] = record, self.clock() + min(seconds, COPY_SECONDS)
        elif not isinstance(found, Record):
            self.found.pop(digest, None)
        return True

    def drop(self, digests: Sequence[str]) -> str:
        for digest in digests:
            self.found.pop(digest, None)
        return self.server

    def flush(self) -> None:
        self.found.clear()

    def keep(self) -> None:
        """Remember what is there now."""
        self.kept = dict(self.found)

    def restart(self, name: str) -> None:
        """Start anew, with all that was there."""
        self.server = name

    def restart_from_older_state(self, name: str) -> None:
        """Start anew, as it was when it was kept."""
        self.server = name
        self.found = dict(self.kept)

    def _standing(self, digest: str) -> Record | str | None:
        found, until = self.found.get(digest, (None, 0.0))
        return found if until > self.clock() else None


class RealRedis(RedisCopies):
    """A real one; what it does not lose in a restart needs no restart here."""

    def flush(self) -> None:
        get_redis_connection(self.alias).flushall()

    def keep(self) -> None: ...

    def restart(self, name: str) -> None: ...

    restart_from_older_state = restart


class Link:
    """One replica's way to the memory; while it is cut, what is asked may be lost, done unheard of, or done later."""

    def __init__(
        self,
        memory: Memory | RealRedis,
        choose: random.Random,
        pause: Callable[[], None] = lambda: None,
        done: Callable[[str, Any], None] = lambda name, key: None,
    ) -> None:
        self.memory = memory
        self.choose = choose
        self.pause = pause
        self.done = done
        self.is_cut = False
        self.late: list[Callable[[], object]] = []

    def mend(self) -> None:
        """Let what hung in the link arrive, and what comes after."""
        self.is_cut = False
        for ask in self.late:
            ask()
        self.late.clear()

    def get(self, digest: str) -> Record | None:
        return self._through(self.memory.get, digest)

    def reserve(self, digest: str) -> str:
        return self._through(self.memory.reserve, digest)

    def seize(self, digest: str) -> str:
        return self._through(self.memory.seize, digest)

    def put(self, digest: str, record: Record, reservation: str) -> bool:
        return self._through(self.memory.put, digest, record, reservation)

    def drop(self, digests: Sequence[str]) -> str:
        return self._through(self.memory.drop, digests)

    def _through(self, ask: Callable[..., T], *arguments: Any) -> T:
        self.pause()
        if not self.is_cut:
            self.done(ask.__name__, arguments[0])
            return ask(*arguments)
        fate = self.choose.choice(["lost", "unheard", "late"])
        if fate == "unheard":
            ask(*arguments)
        elif fate == "late":
            self.late.append(lambda: ask(*arguments))
        raise CopiesUnavailable("the link is cut")
