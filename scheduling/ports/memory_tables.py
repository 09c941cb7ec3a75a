"""What the ledger's double remembers: the ledger's tables, as rows that know each other."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from scheduling.domain.fire import Attempt, ExecutionState, FireState, LiveExecution, Reason
from scheduling.domain.job import Job
from scheduling.domain.retention import Keep


@dataclass(slots=True, kw_only=True)
class JobRow:
    """A job as it is configured now, and its cursor."""

    job: Job
    counted_to: datetime
    retired: bool = False


@dataclass(slots=True, kw_only=True)
class InstanceRow:
    """Whether an instance has joined, whether it is dead, and whether it has said so itself."""

    joined: bool = False
    dead: bool = False
    left: bool = False
    died_at: datetime | None = None


@dataclass(slots=True)
class ItemRow:
    """A sharding item over all fires: its token counter, and the execution that holds it now."""

    token: int = 0
    holder: "ExecutionRow | None" = None


@dataclass(slots=True, kw_only=True, eq=False)
class FireRow:
    """One fire with the job as it was opened with, or the one row for several fire times that did not run."""

    id: int
    job: Job
    fire_time: datetime
    run: int
    state: FireState = FireState.OPEN
    reason: Reason | None = None
    missed_count: int = 0
    first_missed: datetime | None = None
    coalesced_into: int | None = None
    settled_at: datetime | None = None
    executions: "dict[int, ExecutionRow]" = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, eq=False)
class ExecutionRow:
    """One sharding item of one fire."""

    id: int
    fire: FireRow
    item: int
    state: ExecutionState = ExecutionState.PENDING
    reason: Reason | None = None
    message: str = ""
    due_at: datetime
    started_at: datetime | None = None
    attempt: int = 0
    failures: int = 0
    deaths: int = 0
    token: int | None = None
    instance: str | None = None
    claim: str | None = None
    progress: tuple[int, int] | None = None

    @property
    def key(self) -> tuple[str, int]:
        return (self.fire.job.name, self.item)

    def as_live(self) -> LiveExecution:
        return LiveExecution(
            execution=self.id,
            job=self.fire.job.name,
            item=self.item,
            fire_time=self.fire.fire_time,
            run=self.fire.run,
            due_at=self.due_at,
            state=self.state,
            failed_on=self.instance if self.state is ExecutionState.WAITING else None,
        )

    def as_attempt(self) -> Attempt:
        return Attempt(
            execution=self.id,
            fire=self.fire.id,
            job=self.fire.job.name,
            item=self.item,
            token=self.token or 0,
            number=self.attempt,
            fire_time=self.fire.fire_time,
            run=self.fire.run,
            total=self.fire.job.sharding_total_count,
            failures=self.failures,
            parameters=self.fire.job.item_parameters,
        )


class Tables:
    """All rows; `live` are the executions that have not ended, `fire_keys` also has fires that were pruned."""

    def __init__(self) -> None:
        self.jobs: dict[str, JobRow] = {}
        self.instances: dict[str, InstanceRow] = {}
        self.items: dict[tuple[str, int], ItemRow] = {}
        self.fires: dict[int, FireRow] = {}
        self.live: dict[int, ExecutionRow] = {}
        self.markers: set[tuple[int, str]] = set()
        self.fire_keys: set[tuple[str, datetime, int]] = set()
        self.keep: dict[str, Keep] = {}
        self._fires = 0
        self._executions = 0

    def insert_fire(self, job: Job, fire_time: datetime, run: int = 0) -> FireRow:
        self._fires += 1
        fire = FireRow(id=self._fires, job=job, fire_time=fire_time, run=run)
        self.fires[fire.id] = fire
        self.fire_keys.add((job.name, fire_time, run))
        return fire

    def insert_executions(self, fire: FireRow) -> None:
        for item in range(fire.job.sharding_total_count):
            self._executions += 1
            execution = ExecutionRow(id=self._executions, fire=fire, item=item, due_at=fire.fire_time)
            fire.executions[item] = self.live[execution.id] = execution
            self.items.setdefault(execution.key, ItemRow())

    def live_of(self, job: str) -> Iterator[ExecutionRow]:
        return (execution for execution in self.live.values() if execution.fire.job.name == job)

    def end(self, execution: ExecutionRow, state: ExecutionState, reason: Reason | None, message: str = "") -> None:
        execution.state, execution.reason, execution.message = state, reason, message
        del self.live[execution.id]

    def free(self, execution: ExecutionRow) -> None:
        self.items[execution.key].holder = None
