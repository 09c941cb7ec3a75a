"""`scheduling.ports.registry.Registry` in the database: for one machine, where there is no ZooKeeper.

    Registration  instance → document, seen_at     a session; ended once seen_at is older than the session timeout
    Leadership    instance, epoch, serial           one row; the epoch grows with each new leader
    Assignment    job → instance → ranges of items  written under the epoch

The published jobs are the rows of `Job` themselves.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from django.db.models import F, Q, QuerySet

from scheduling.database.clock import DatabaseNow
from scheduling.database.jobs import JobReader
from scheduling.database.rows import Rows
from scheduling.database.transactions import answered, transact
from scheduling.domain.cluster import Cluster
from scheduling.domain.documents import instance_from_document, instance_to_document
from scheduling.domain.errors import LedgerUnavailable, RegistryUnavailable, SessionExpired
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.instance import Instance, unreadable
from scheduling.domain.job import Job
from scheduling.domain.ranges import from_ranges, to_ranges
from scheduling.models import Assignment, Leadership, Registration

logger = logging.getLogger("scheduling.database")

Parsed = TypeVar("Parsed")

SESSION_TIMEOUT = 5.0
AHEAD = Q(seen_at__gt=DatabaseNow() + timedelta(seconds=1))
"""Last seen in the future: the database's clock has been set back."""


class DatabaseRegistry:
    """One instance's session in the default database."""

    def __init__(self, *, session_timeout: float = SESSION_TIMEOUT) -> None:
        self.session_timeout = session_timeout
        self._id = ""
        self._rows = Rows()
        self._jobs = JobReader()
        self._assignments: tuple[int, dict[str, dict[int, str]]] = (-1, {})

    def register(self, instance: Instance) -> None:
        self._id = instance.id
        with available():
            transact(lambda: self._register(instance))

    def _register(self, instance: Instance) -> None:
        _set_back()
        shown = {"document": instance_to_document(instance), "seen_at": DatabaseNow()}
        if not self._living().filter(instance=instance.id).update(**shown):
            # A new session leads, if at all, in a new epoch.
            Leadership.objects.filter(instance=instance.id).update(instance="")
            Registration.objects.update_or_create(instance=instance.id, defaults=shown)

    def beat(self) -> None:
        with available():
            kept = self._living().filter(instance=self._id).update(seen_at=DatabaseNow())
        if not kept:
            raise SessionExpired(_("the session of instance %(instance)s has ended"), instance=self._id)

    def leave(self) -> None:
        self.end_session(self._id)

    def session_key(self) -> str:
        return self._id

    def end_session(self, key: str) -> None:
        with available():
            Leadership.objects.filter(instance=key).update(instance="")
            Registration.objects.filter(instance=key).delete()

    def cluster(self) -> Cluster:
        with available():
            instances = self._instances()
            leader, epoch, serial = self._leadership()
            return Cluster(
                instances=instances,
                leader=leader if leader in instances else None,
                epoch=epoch,
                jobs={job.name: job for job in self._jobs.read()},
                assignments=self._read_assignments(serial),
            )

    def campaign(self) -> None:
        def stand() -> None:
            Leadership.objects.get_or_create(id=1)
            leadership = Leadership.objects.select_for_update().get(id=1)
            if not self._living().filter(instance=leadership.instance).exists():
                Leadership.objects.filter(id=1).update(instance=self._id, epoch=F("epoch") + 1)

        with available():
            transact(stand)
            self._expired().delete()

    def publish(self, jobs: Iterable[Job], *, epoch: int) -> bool:
        with available():
            return transact(lambda: self._leads(epoch))

    def assign(self, assignments: Mapping[str, Mapping[int, str]], *, epoch: int) -> bool:
        with available():
            ids = self._rows.jobs(assignments)
            return transact(lambda: self._leads(epoch) and self._write(assignments, ids, epoch))

    def _instances(self) -> dict[str, Instance]:
        rows = self._living().annotate(is_ahead=AHEAD)
        shown = list(rows.values_list("instance", "document", "is_ahead"))
        if any(is_ahead for _id, _document, is_ahead in shown):
            _set_back()
        read = {id: _read("registration", id, instance_from_document, id, document) for id, document, _ in shown}
        # One that cannot be read beats all the same, so nobody may declare it dead.
        return {id: instance or unreadable(id) for id, instance in read.items()}

    def _write(self, assignments: Mapping[str, Mapping[int, str]], ids: Mapping[str, int], epoch: int) -> bool:
        for job, owners in assignments.items():
            if owners:
                document = {"epoch": epoch, "document": to_ranges(owners)}
                Assignment.objects.update_or_create(job_id=ids[job], defaults=document)
            else:
                Assignment.objects.filter(job_id=ids[job]).delete()
        Leadership.objects.filter(id=1).update(serial=F("serial") + 1)
        return True

    def _leads(self, epoch: int) -> bool:
        # Locked, so that no other leader can be elected before this transaction ends.
        mine = Leadership.objects.select_for_update().filter(id=1, instance=self._id, epoch=epoch)
        return bool(list(mine)) and self._living().filter(instance=self._id).exists()

    def _leadership(self) -> tuple[str, int, int]:
        return Leadership.objects.filter(id=1).values_list("instance", "epoch", "serial").first() or ("", 0, 0)

    def _read_assignments(self, serial: int) -> dict[str, dict[int, str]]:
        if self._assignments[0] != serial:
            rows = Assignment.objects.values_list("job__name", "document")
            owners = {job: _read("assignment", job, from_ranges, document) or {} for job, document in rows}
            self._assignments = (serial, owners)
        return self._assignments[1]

    def _living(self) -> "QuerySet[Registration]":
        return Registration.objects.filter(seen_at__gte=self._oldest())

    def _expired(self) -> "QuerySet[Registration]":
        return Registration.objects.filter(seen_at__lt=self._oldest())

    def _oldest(self) -> Any:
        return DatabaseNow() - timedelta(seconds=self.session_timeout)


def _set_back() -> None:
    # One that died before the clock was set back would live until its last beat; those that live beat again.
    Registration.objects.filter(AHEAD).update(seen_at=DatabaseNow())


@contextmanager
def available() -> Iterator[None]:
    """Turn a missing answer of the database into `RegistryUnavailable`."""
    try:
        with answered():
            yield
    except LedgerUnavailable as error:
        raise RegistryUnavailable(_("the registry in the database gave no answer: %(error)s"), error=error) from error


def _read(what: str, name: str, parse: Callable[..., Parsed], *document: Any) -> Parsed | None:
    """Return what a document says; None of one that nobody of us wrote: it is written anew by its owner."""
    try:
        return parse(*document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        logger.error("the %s of %s cannot be read: %r", what, name, error)
        return None
