"""This instance's session in the registry, and the lease: how long it may start things without a new answer."""

import logging
import threading
from collections.abc import Callable

from scheduling.domain.errors import RegistryUnavailable, SessionExpired
from scheduling.domain.instance import Instance
from scheduling.ports.registry import Registry

logger = logging.getLogger("scheduling.session")

LEASE = 0.6
"""The part of the session timeout, from the sending of the last answered beat, in which nobody can think it dead."""

BEATS_PER_SESSION = 5
AGAIN_SECONDS = 0.2
"""After a beat without an answer: a link that comes and goes must not meet every beat while it is gone."""


class Session:
    """A registration that is kept alive. Safe to use from the scheduling thread and from the one that beats.

    `tell` is told each registration: the instance's id, and what ends its session from elsewhere.
    """

    def __init__(
        self, registry: Registry, clock: Callable[[], float], tell: Callable[[str, str], None] | None = None
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._tell = tell
        self._proved_at = float("-inf")

    @property
    def timeout(self) -> float:
        """Return the seconds after which the registry ends a session of which it hears nothing."""
        return self._registry.session_timeout

    def register(self, instance: Instance) -> None:
        """Show the instance, or what has changed of it, to the others."""
        sent_at = self._clock()
        self._registry.register(instance)
        self._proved_at = max(self._proved_at, sent_at)
        if self._tell:
            self._tell(instance.id, self._registry.session_key())

    def beat(self) -> None:
        """Ask the registry to keep the session; the lease counts from before the question."""
        sent_at = self._clock()
        self._registry.beat()
        self._proved_at = max(self._proved_at, sent_at)

    def is_proved(self) -> bool:
        """Can no other instance believe that this one is dead?"""
        return self._clock() < self._proved_at + LEASE * self.timeout

    def leave(self) -> None:
        """End the session; the lease ends before it."""
        self._proved_at = float("-inf")
        self._registry.leave()


def keep_alive(session: Session, stopped: threading.Event) -> None:
    """Beat until `stopped` is set; the body of a thread of its own, so that a long transaction costs no session."""
    answered = True
    while not stopped.wait(session.timeout / BEATS_PER_SESSION if answered else AGAIN_SECONDS):
        try:
            session.beat()
        except SessionExpired:
            continue  # the scheduling thread sees it too, and registers again
        except RegistryUnavailable as error:
            if answered:
                logger.warning("no answer to a beat: %s", error)
            answered = False
        except Exception:
            logger.exception("no answer to a beat")
        else:
            answered = True
