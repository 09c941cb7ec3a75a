"""The ledger's double: all instances of one test share one object, and one lock makes each method a transaction."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from functools import wraps
from threading import RLock
from typing import Any, TypeVar, cast

from scheduling.domain.cluster import Cluster
from scheduling.domain.errors import InstanceDead, JobDisabled, UnknownJob
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.fire import (
    Attempt,
    ExecutionState,
    FireState,
    LiveExecution,
    Look,
    Reason,
    Result,
    Verdict,
    settled_state,
)
from scheduling.domain.instance import Instance
from scheduling.domain.job import Job
from scheduling.domain.misfire import Opening, missed_between
from scheduling.domain.trigger import IntervalTrigger, Trigger
from scheduling.ports import memory_finishing
from scheduling.ports.ledger import Cursor, Cursors, TakenBack
from scheduling.ports.memory_finishing import take_back
from scheduling.ports.memory_opening import account_for, check_new, insert_opening
from scheduling.ports.memory_pruning import prune
from scheduling.ports.memory_tables import ExecutionRow, InstanceRow, JobRow, Tables

CLAIMABLE = (ExecutionState.PENDING, ExecutionState.WAITING)

Method = TypeVar("Method", bound=Callable[..., Any])


def transaction(method: Method) -> Method:
    """Let nobody else read or write while the method runs; it checks everything before it writes anything."""

    @wraps(method)
    def alone(ledger: "MemoryLedger", *args: Any, **kwargs: Any) -> Any:
        with ledger.lock:
            return method(ledger, *args, **kwargs)

    return cast(Method, alone)


class MemoryLedger:
    """`scheduling.ports.ledger.Ledger` in memory. `clock` returns aware UTC datetimes."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.lock = RLock()
        self.tables = Tables()
        self.shown: tuple[Cluster, str, datetime] | None = None

    # Configuration

    @transaction
    def configure(self, job: Job) -> int:
        return self._save(job, Reason.EDITED if job.enabled else Reason.DISABLED)

    @transaction
    def retire(self, job: str) -> None:
        self._save(replace(self._row_of(job).job, enabled=False), Reason.RETIRED)
        self.tables.jobs[job].retired = True

    @transaction
    def request(self, job: str, *, key: int, asked_by: str) -> int:
        row = self._row_of(job)
        for fire in self.tables.fires.values():
            if (fire.job.name, fire.run) == (job, key):
                return fire.id
        if not row.job.enabled:
            raise JobDisabled(job)
        fire = self.tables.insert_fire(row.job, self.clock().replace(microsecond=0), run=key)
        self.tables.insert_executions(fire)
        return fire.id

    # Reading

    @transaction
    def jobs(self) -> tuple[Job, ...]:
        return tuple(row.job for row in self.tables.jobs.values() if not row.retired)

    @transaction
    def cursors(self) -> Cursors:
        return Cursors(
            now=self.clock(),
            jobs={
                name: Cursor(revision=row.job.revision, enabled=row.job.enabled, counted_to=row.counted_to)
                for name, row in self.tables.jobs.items()
                if not row.retired
            },
        )

    @transaction
    def live_items(self) -> dict[str, frozenset[int]]:
        items: dict[str, frozenset[int]] = {}
        for job, item in {execution.key for execution in self.tables.live.values()}:
            if item >= self.tables.jobs[job].job.sharding_total_count:
                items[job] = items.get(job, frozenset()) | {item}
        return items

    @transaction
    def look(self, jobs: Iterable[str]) -> Look:
        names = set(jobs)
        live = (execution.as_live() for execution in self.tables.live.values())
        held = (key for key, item in self.tables.items.items() if item.holder)
        return Look(
            now=self.clock(),
            executions=tuple(execution for execution in live if execution.job in names),
            held=frozenset((job, item) for job, item in held if job in names),
        )

    # Instances

    @transaction
    def enter(self, instance: Instance) -> None:
        self.tables.instances.setdefault(instance.id, InstanceRow())

    @transaction
    def join(self, instance: str) -> None:
        if row := self.tables.instances.get(instance):
            row.joined = True

    @transaction
    def joined(self) -> frozenset[str]:
        return frozenset(id for id, row in self.tables.instances.items() if row.joined and not row.dead)

    @transaction
    def die(self, instance: str, *, by: str) -> bool:
        if instance not in self.joined():
            return False
        row = self.tables.instances[instance]
        row.dead, row.died_at, row.left = True, self.clock(), by == instance
        return True

    @transaction
    def show(self, cluster: Cluster, *, by: str) -> None:
        self.shown = (cluster, by, self.clock())

    # One fire

    @transaction
    def open(self, openings: Sequence[Opening], *, by: str) -> frozenset[str]:
        now = self.clock()
        won = [opening for opening in openings if self._allows(opening, now)]
        check_new(self.tables, won)
        for opening in won:
            self.tables.jobs[opening.job.name].counted_to = opening.counted_to
            insert_opening(self.tables, opening, now)
        return frozenset(opening.job.name for opening in won)

    @transaction
    def claim(self, executions: Sequence[LiveExecution], *, by: str, claim: str) -> tuple[Attempt, ...]:
        if not self._is_alive(by):
            raise InstanceDead(_("instance %(instance)s has been declared dead"), instance=by)
        rows = [row for e in executions if (row := self.tables.live.get(e.execution)) and self._is_claimable(row)]
        items = {row.key for row in rows if self._is_free(row)}
        if not len(executions) == len(rows) == len(items):
            return ()
        for row in rows:
            self._start(row, by, claim)
        return self.claimed(claim)

    @transaction
    def claimed(self, claim: str) -> tuple[Attempt, ...]:
        running = (row for row in self.tables.live.values() if row.state is ExecutionState.RUNNING)
        return tuple(row.as_attempt() for row in running if row.claim == claim)

    @transaction
    def finish(self, results: Sequence[Result], *, not_after: datetime | None = None) -> dict[int, Verdict]:
        verdicts: dict[int, Verdict] = {}
        for result in results:
            verdict = memory_finishing.write_result(self.tables, result, self._now(not_after))
            if verdicts.get(result.attempt.execution) is not Verdict.WRITTEN:
                verdicts[result.attempt.execution] = verdict
        return verdicts

    @transaction
    def cut_off(self, results: Sequence[Result], *, not_after: datetime | None = None) -> dict[int, int]:
        now = self._now(not_after)
        tokens = {r.attempt.execution: memory_finishing.cut_off(self.tables, r, now) for r in results}
        return {execution: token for execution, token in tokens.items() if token is not None}

    @transaction
    def release(self, tokens: Mapping[Attempt, int]) -> None:
        for attempt, token in tokens.items():
            memory_finishing.release(self.tables, attempt, token)

    @transaction
    def progress(self, done: Mapping[Attempt, tuple[int, int]]) -> None:
        for attempt, made in done.items():
            execution = memory_finishing.execution_of(self.tables, attempt)
            if execution and self.holds(attempt):
                execution.progress = made

    @transaction
    def settle(self, fires: Iterable[int] | None = None) -> int:
        chosen = self.tables.fires.keys() if fires is None else self.tables.fires.keys() & set(fires)
        live = {execution.fire.id for execution in self.tables.live.values()}
        ended = [self.tables.fires[id] for id in chosen - live if self.tables.fires[id].state is FireState.OPEN]
        for fire in ended:
            fire.state, fire.reason = settled_state((row.state, row.reason) for row in fire.executions.values())
            fire.settled_at = self.clock()
        return len(ended)

    @transaction
    def take_over(self, *, not_after: datetime | None = None) -> tuple[TakenBack, ...]:
        now = self._now(not_after)
        return take_back(self.tables, lambda holder: not self._is_alive(holder.instance), now, died=True)

    @transaction
    def audit(self, instance: str, running: AbstractSet[int]) -> tuple[TakenBack, ...]:
        return take_back(
            self.tables,
            lambda holder: holder.instance == instance and holder.id not in running,
            self.clock(),
            died=False,
        )

    @transaction
    def prune(self, *, not_after: datetime | None = None) -> bool:
        return prune(self.tables, self._now(not_after))

    # For the fence

    def holds(self, attempt: Attempt) -> bool:
        """Does the attempt hold its item under its token?"""
        return memory_finishing.holds(self.tables, attempt)

    # Steps

    def _now(self, not_after: datetime | None) -> datetime:
        return min(self.clock(), not_after or self.clock())

    def _row_of(self, job: str) -> JobRow:
        row = self.tables.jobs.get(job)
        if row is None or row.retired:
            raise UnknownJob(job)
        return row

    def _save(self, job: Job, reason: Reason) -> int:
        now = self.clock()
        old = self.tables.jobs.get(job.name)
        if old and old.job.enabled:
            account_for(self.tables, old.job, missed_between(old.job.trigger, old.counted_to, now, reason), now)
        trigger = _anchored(job, old.job if old else None, now)
        saved = replace(job, trigger=trigger, revision=old.job.revision + 1 if old else 1)
        self.tables.jobs[job.name] = JobRow(job=saved, counted_to=max(now, old.counted_to) if old else now)
        for execution in [] if job.enabled else list(self.tables.live_of(job.name)):
            if execution.state in CLAIMABLE:
                self.tables.end(execution, ExecutionState.CANCELLED, reason)
        return saved.revision

    def _allows(self, opening: Opening, now: datetime) -> bool:
        row = self.tables.jobs[opening.job.name]
        same_job = row.job.enabled and row.job.revision == opening.job.revision
        return same_job and opening.follows(row.counted_to) and opening.counted_to <= now

    def _is_alive(self, instance: str | None) -> bool:
        row = self.tables.instances.get(instance or "")
        return row is not None and not row.dead

    def _is_claimable(self, execution: ExecutionRow) -> bool:
        return execution.state in CLAIMABLE and execution.due_at <= self.clock()

    def _is_free(self, execution: ExecutionRow) -> bool:
        return self.tables.items[execution.key].holder is None

    def _start(self, execution: ExecutionRow, by: str, claim: str) -> None:
        item = self.tables.items[execution.key]
        item.token += 1
        item.holder = execution
        execution.state = ExecutionState.RUNNING
        execution.started_at = self.clock()
        execution.attempt += 1
        execution.token, execution.instance, execution.claim = item.token, by, claim
        execution.progress, execution.reason, execution.message = None, None, ""


def _anchored(job: Job, old: Job | None, now: datetime) -> Trigger:
    """Count intervals from now if the job becomes enabled or its interval is another, otherwise as before."""
    if not isinstance(job.trigger, IntervalTrigger):
        return job.trigger
    if old and old.enabled and isinstance(old.trigger, IntervalTrigger) and old.trigger.seconds == job.trigger.seconds:
        return old.trigger
    return replace(job.trigger, anchor=now)
