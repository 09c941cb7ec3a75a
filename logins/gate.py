"""When this process believes Redis: only while it answers, and what it must have forgotten is forgotten.

One gate per process. It is a circuit breaker: a failure shuts it for a while, and then one request at a time tries
again, while the others ask the database. Open, one request in half a second looks into the outbox and has Redis drop
what is there; while none could look for a second, Redis is not believed.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from django.db import Error as DatabaseFailure

from logins.copies import Copies, CopiesFull, CopiesUnavailable

logger = logging.getLogger("logins.gate")

LOOK_SECONDS = 0.5
BELIEF_SECONDS = 1.0
RETRY_SECONDS = 1.0
MEMORY_SECONDS = 10.0
"""Who has looked so lately may look at the recent entries alone."""

FULL_SECONDS = 60.0
"""Between two log lines that say that Redis is full."""


class Outbox(Protocol):
    """Which copies are out of date."""

    def posted(self, after: int | None = None) -> dict[int, str]:
        """Return digests by entry: all, or those that are recent or came after an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look has had dropped, and by which server."""

    server: str = ""
    entries: frozenset[int] = frozenset()
    newest: int = 0


class Gate:
    """Open while Redis may be believed; `clock` is monotonic, in seconds."""

    def __init__(self, copies: Copies, outbox: Outbox, clock: Callable[[], float] = time.monotonic) -> None:
        self._copies = copies
        self._outbox = outbox
        self._clock = clock
        self._looking = threading.Lock()
        self._last = Look()
        self._looked_at = self._retry_at = self._said_full_at = float("-inf")
        self._is_lost = False

    def is_open(self) -> bool:
        """May Redis be believed now? Looks into the outbox first if that is due."""
        now = self._clock()
        if now < self._retry_at:
            return False
        if now - self._looked_at >= LOOK_SECONDS:
            self._look_once(waiting=now - self._looked_at >= BELIEF_SECONDS and not self._is_lost)
        return self._clock() - self._looked_at < BELIEF_SECONDS

    def shut(self, error: CopiesUnavailable) -> None:
        """Believe nothing until Redis has answered again and dropped the whole outbox; but what is full can be read."""
        if isinstance(error, CopiesFull):
            self._say_full(error)
            return
        self._retry_at = self._clock() + RETRY_SECONDS
        self._looked_at = float("-inf")
        if not self._is_lost:
            self._is_lost = True
            logger.warning("Redis does not do as asked (%s); sessions are read from the database until it does.", error)

    def _look_once(self, *, waiting: bool) -> None:
        """Look, unless another thread does; `waiting` for it a while, and looking then only if it has failed to."""
        if not self._looking.acquire(timeout=BELIEF_SECONDS if waiting else 0):
            return
        try:
            now = self._clock()
            if now >= self._retry_at and now - self._looked_at >= LOOK_SECONDS:
                self._look(now)
        finally:
            self._looking.release()

    def _look(self, now: float) -> None:
        retry_at = self._retry_at
        try:
            look = self._drop_recent() if now - self._looked_at < MEMORY_SECONDS else self._drop_all()
        except CopiesUnavailable as error:
            self.shut(error)
        except DatabaseFailure as error:
            logger.warning("The outbox cannot be read (%s): what Redis says is not believed.", error)
        else:
            if self._retry_at == retry_at:  # nobody has shut it meanwhile
                self._opened(look, now)

    def _opened(self, look: Look, now: float) -> None:
        self._last = look
        self._looked_at = now
        if self._is_lost:
            self._is_lost = False
            logger.info("Redis answers again and has dropped what was out of date; sessions are read from it.")

    def _drop_recent(self) -> Look:
        """Have Redis drop what was posted since the last look; all, if another server answers than then."""
        last = self._last
        posted = self._outbox.posted(last.newest)
        server = self._copies.drop([digest for entry, digest in posted.items() if entry not in last.entries])
        if server != last.server:  # it may have come back from an older state
            return self._drop_all()
        return Look(server=server, entries=frozenset(posted), newest=max(posted, default=last.newest))

    def _drop_all(self) -> Look:
        """Have Redis drop the whole outbox, which is not read while Redis is away."""
        self._copies.drop([])
        posted = self._outbox.posted()
        server = self._copies.drop(list(set(posted.values())))
        return Look(server=server, entries=frozenset(posted), newest=max(posted, default=0))

    def _say_full(self, error: CopiesFull) -> None:
        if self._clock() - self._said_full_at >= FULL_SECONDS:
            self._said_full_at = self._clock()
            logger.warning("Redis is full (%s): sessions that it has no room for are read from the database.", error)
