"""What the elected instance does for all: it publishes jobs, gives out items, and notes what the registry shows."""

import logging
from collections.abc import Callable, Iterable, Mapping

from scheduling.domain.cluster import Cluster, assignments_due
from scheduling.domain.errors import InvalidJob
from scheduling.domain.job import Job
from scheduling.ports.ledger import Ledger
from scheduling.ports.registry import Registry
from scheduling.runtime.timer import Timer

logger = logging.getLogger("scheduling.node")

SHOW_SECONDS = 2.0


class Leader:
    """The leader's part of one instance; it does nothing unless it is asked to."""

    def __init__(self, *, ledger: Ledger, registry: Registry, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._registry = registry
        self._timer = Timer(SHOW_SECONDS, clock)
        self._nothing_due: object = None
        self._shown: object = None
        self._faults: Mapping[str, str] = {}

    def lead(self, cluster: Cluster) -> bool:
        """Do what is due in the cluster that this instance leads; return whether its owners are others now."""
        jobs = self._ledger.jobs()
        unpublished = cluster.foreign or not _are_published(jobs, cluster)
        if unpublished and not self._registry.publish(jobs, epoch=cluster.epoch):
            return False  # it leads no more, and what it sees is of no account
        changed = self._assign(jobs, cluster)
        if changed is None:
            return False
        self._show(cluster)
        return changed

    def _assign(self, jobs: tuple[Job, ...], cluster: Cluster) -> bool | None:
        """Give the items out anew, if that is due; return whether it was, or None if this instance leads no more."""
        live_items = self._ledger.live_items()
        grounds = (jobs, cluster.instances, cluster.assignments, live_items)
        if grounds == self._nothing_due:
            return False
        due = assignments_due(jobs, cluster, live_items)
        self._log_faults(due.faults)
        if due.assignments and not self._registry.assign(due.assignments, epoch=cluster.epoch):
            self._nothing_due = None
            return None
        # Not asked again about their own answer: a strategy that never gives the same twice would keep the leader busy.
        self._nothing_due = (jobs, cluster.instances, due.applied_to(cluster.assignments), live_items)
        return bool(due.assignments)

    def _show(self, cluster: Cluster) -> None:
        shown = (cluster.instances, cluster.leader, cluster.epoch, cluster.assignments)
        if cluster.leader and (shown != self._shown or self._timer.is_due()):
            self._ledger.show(cluster, by=cluster.leader)
            self._timer.restart()
            self._shown = shown

    def _log_faults(self, faults: Mapping[str, InvalidJob]) -> None:
        for job, fault in faults.items():
            if self._faults.get(job) != str(fault):
                logger.error(
                    "%s: its items stay with their owners, as its strategy cannot be followed: %s",
                    job,
                    fault,
                    exc_info=fault.__cause__,
                )
        for job in sorted(self._faults.keys() - faults.keys()):
            logger.info("%s: its strategy is followed again", job)
        self._faults = {job: str(fault) for job, fault in faults.items()}


def _are_published(jobs: Iterable[Job], cluster: Cluster) -> bool:
    # Whole jobs, as a leader with older code publishes fewer fields of the same revision.
    return {job.name: job for job in jobs} == cluster.jobs
