"""When this process believes Redis: only while it answers, and what it must have forgotten is forgotten.

One gate per process. It is a circuit breaker: one failure shuts it for a while, so that a Redis that hangs costs one
timeout per process and not one per request. Open, it looks into the outbox twice a second and has Redis drop what is
there; while it could not look for a second, Redis is not believed. Whoever finds it shut asks the database.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from django.db import DatabaseError

from logins.copies import Copies, CopiesUnavailable

logger = logging.getLogger("logins.gate")

LOOK_SECONDS = 0.5
BELIEF_SECONDS = 1.0
RETRY_SECONDS = 1.0
PRUNE_SECONDS = 60.0


class Outbox(Protocol):
    """Which copies are out of date."""

    def posted(self, *, only_recent: bool) -> dict[int, str]:
        """Return digests by entry."""

    def empty_outbox(self) -> None:
        """Forget entries that are older than any copy."""


class Gate:
    """Open while Redis may be believed; `clock` is monotonic, in seconds."""

    def __init__(self, copies: Copies, outbox: Outbox, clock: Callable[[], float] = time.monotonic) -> None:
        self._copies = copies
        self._outbox = outbox
        self._clock = clock
        self._looking = threading.Lock()
        self._looked_at = self._retry_at = self._pruned_at = float("-inf")
        self._server = ""
        self._dropped: frozenset[int] = frozenset()
        self._is_lost = False

    def is_open(self) -> bool:
        """May Redis be believed now? Looks into the outbox if that is due."""
        now = self._clock()
        if now < self._retry_at:
            return False
        if now - self._looked_at >= LOOK_SECONDS:
            self._look_once(waiting=now - self._looked_at >= BELIEF_SECONDS)
        return self._clock() - self._looked_at < BELIEF_SECONDS

    def shut(self, error: Exception) -> None:
        """Believe nothing until Redis has answered again and dropped the whole outbox."""
        self._retry_at = self._clock() + RETRY_SECONDS
        self._looked_at = float("-inf")
        self._server = ""
        self._dropped = frozenset()
        if not self._is_lost:
            self._is_lost = True
            logger.warning("Redis does not do as asked (%s); sessions are read from the database until it does.", error)

    def _look_once(self, *, waiting: bool) -> None:
        """Look, unless another thread does; `waiting` for it, and then looking only if it has failed to."""
        if not self._looking.acquire(blocking=waiting):
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
            self._drop_posted()
            self._prune(now)
        except CopiesUnavailable as error:
            self.shut(error)
        except DatabaseError as error:
            logger.warning("The outbox cannot be read (%s): what Redis says is not believed.", error)
        else:
            if self._retry_at == retry_at:  # nobody has shut it meanwhile
                self._opened(now)

    def _opened(self, now: float) -> None:
        self._looked_at = now
        if self._is_lost:
            self._is_lost = False
            logger.info("Redis answers again and has dropped what was out of date; sessions are read from it.")

    def _drop_posted(self) -> None:
        """Have Redis drop what was posted since the last look, or all if it may have come back from an older state."""
        is_known = bool(self._server)
        posted = self._outbox.posted(only_recent=is_known)
        server = self._copies.drop([digest for entry, digest in posted.items() if entry not in self._dropped])
        if is_known and server != self._server:
            posted = self._outbox.posted(only_recent=False)
            server = self._copies.drop(list(posted.values()))
        self._server = server
        self._dropped = frozenset(posted)

    def _prune(self, now: float) -> None:
        if now - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = now
            self._outbox.empty_outbox()
