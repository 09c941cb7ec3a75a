"""The registry: where instances see each other. Every method raises `RegistryUnavailable` when no answer came."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from scheduling.domain.cluster import Cluster
from scheduling.domain.instance import Instance
from scheduling.domain.job import Job


class Registry(Protocol):
    """One instance's connection to the registry."""

    @property
    def session_timeout(self) -> float:
        """Return the seconds after the last beat at which a session ends; known for sure once one has begun."""

    def register(self, instance: Instance) -> None:
        """Show this instance to the others, or what has changed of it; begins a session if there is none."""

    def beat(self) -> None:
        """Keep the session alive; raise `SessionExpired` if it has ended."""

    def leave(self) -> None:
        """End the session now, and with it the registration and the leadership."""

    def session_key(self) -> str:
        """Return what `end_session` needs to end this session; a secret."""

    def end_session(self, key: str) -> None:
        """End a session of another connection, whose process has ended; nothing happens if it is over."""

    def cluster(self) -> Cluster:
        """Return who is registered, who leads, what is published and who owns which item."""

    def campaign(self) -> None:
        """Lead, if nobody does; the next `cluster` shows who won.

        A new leader has a larger epoch, unless the registry was wiped.
        """

    def publish(self, jobs: Iterable[Job], *, epoch: int) -> bool:
        """Publish exactly these jobs, as the leader of `epoch`; False if that is over, and nothing changed."""

    def assign(self, assignments: Mapping[str, Mapping[int, str]], *, epoch: int) -> bool:
        """Publish these jobs' owners (none: forget the job), as the leader of `epoch`; False as in `publish`."""
