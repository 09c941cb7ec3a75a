"""What the suites see of a ledger, whatever keeps it, and what they do to it that no port offers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from scheduling.domain.cluster import Cluster
from scheduling.domain.fire import ExecutionState, FireState, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class FireRow:
    """One fire, or the one row for several fire times that did not run."""

    fire: int
    fire_time: datetime
    run: int
    state: FireState
    reason: Reason | None
    missed_count: int
    first_missed: datetime | None
    coalesced_into: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRow:
    """One sharding item of one fire."""

    execution: int
    fire: int
    item: int
    state: ExecutionState
    reason: Reason | None
    attempt: int
    token: int | None
    instance: str | None
    message: str
    progress: tuple[int, int] | None


class LedgerProbe(Protocol):
    """A look behind a ledger's port."""

    def fires(self, job: str) -> list[FireRow]:
        """Return the job's fires, in the order of fire time and run."""

    def executions(self, job: str) -> list[ExecutionRow]:
        """Return the job's executions, in the order of fire time, run and item."""

    def tokens(self, job: str) -> dict[int, int]:
        """Return item → the largest token it has had."""

    def shown(self) -> tuple[Cluster, str, datetime] | None:
        """Return what the registry showed when somebody last looked, who did, and when."""

    def rewind(self, job: str, seconds: float) -> None:
        """Have the job be configured `seconds` before the ledger's now, and nothing accounted for since."""

    def retry_later(self, execution: int) -> None:
        """Turn a pending execution into one that waits for its next attempt, and is due."""

    def hurry(self, execution: int) -> None:
        """Let an execution be due now."""

    def forget(self, instance: str) -> None:
        """Delete the row of an instance."""

    def instances(self) -> set[str]:
        """Return the instances that have a row."""

    def markers(self) -> set[tuple[int, str]]:
        """Return (execution, name) of what `once` has done."""

    def keep(self, job: str, *, days: int | None = None, fires: int | None = None) -> None:
        """Say how long the job's fires are kept; None is as of all jobs."""

    def age(self, seconds: float) -> None:
        """Have everything that has settled, and every instance that has died, done so that much earlier."""
