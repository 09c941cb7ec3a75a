"""The registry's double: instances of one test share one `MemoryEnsemble`, each with a session of its own."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import RLock

from scheduling.domain.cluster import Cluster
from scheduling.domain.errors import SessionExpired
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.instance import Instance
from scheduling.domain.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One instance's registration, and when it ends unless it beats."""

    instance: Instance
    ends_at: float


class MemoryEnsemble:
    """What all sessions share. `clock` returns seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.lock = RLock()
        self.sessions: dict[str, Session] = {}
        self.leader: str | None = None
        self.epoch = 0
        self.jobs: dict[str, Job] = {}
        self.assignments: dict[str, dict[int, str]] = {}

    def expire(self) -> None:
        """End the sessions whose time is over, and with them the leadership."""
        now = self.clock()
        self.sessions = {id: session for id, session in self.sessions.items() if session.ends_at >= now}
        if self.leader not in self.sessions:
            self.leader = None


class MemoryRegistry:
    """`scheduling.ports.registry.Registry` in memory."""

    def __init__(self, store: MemoryEnsemble, session_timeout: float = 5.0) -> None:
        self.session_timeout = session_timeout
        self._store = store
        self._id = ""

    def register(self, instance: Instance) -> None:
        with self._store.lock:
            self._store.expire()
            self._id = instance.id
            self._keep(instance)

    def beat(self) -> None:
        with self._store.lock:
            self._store.expire()
            if self._id not in self._store.sessions:
                raise SessionExpired(_("the session of instance %(instance)s has ended"), instance=self._id)
            self._keep(self._store.sessions[self._id].instance)

    def leave(self) -> None:
        self.end_session(self._id)

    def session_key(self) -> str:
        return self._id

    def end_session(self, key: str) -> None:
        with self._store.lock:
            self._store.sessions.pop(key, None)
            self._store.expire()

    def cluster(self) -> Cluster:
        with self._store.lock:
            self._store.expire()
            return Cluster(
                instances={id: session.instance for id, session in self._store.sessions.items()},
                leader=self._store.leader,
                epoch=self._store.epoch,
                jobs=dict(self._store.jobs),
                assignments={job: dict(owners) for job, owners in self._store.assignments.items()},
            )

    def campaign(self) -> None:
        with self._store.lock:
            self._store.expire()
            if self._store.leader is None and self._id in self._store.sessions:
                self._store.leader = self._id
                self._store.epoch += 1

    def publish(self, jobs: Iterable[Job], *, epoch: int) -> bool:
        with self._store.lock:
            if self._leads(epoch):
                self._store.jobs = {job.name: job for job in jobs}
                return True
            return False

    def assign(self, assignments: Mapping[str, Mapping[int, str]], *, epoch: int) -> bool:
        with self._store.lock:
            if self._leads(epoch):
                changed = self._store.assignments | {job: dict(owners) for job, owners in assignments.items()}
                self._store.assignments = {job: owners for job, owners in changed.items() if owners}
                return True
            return False

    def _keep(self, instance: Instance) -> None:
        ends_at = self._store.clock() + self.session_timeout
        self._store.sessions[instance.id] = Session(instance=instance, ends_at=ends_at)

    def _leads(self, epoch: int) -> bool:
        self._store.expire()
        return self._store.leader == self._id and self._store.epoch == epoch
