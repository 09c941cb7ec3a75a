"""The stage on the doubles, and the suites' look behind the ledger's."""

from datetime import UTC, datetime, timedelta

from scheduling.domain.cluster import Cluster
from scheduling.domain.fire import ExecutionState
from scheduling.domain.retention import Keep
from scheduling.domain.trigger import IntervalTrigger
from scheduling.ports import memory_tables
from scheduling.ports.memory_fence import MemoryFence
from scheduling.ports.memory_ledger import MemoryLedger
from scheduling.tests.ports.probe import ExecutionRow, FireRow
from scheduling.tests.ports.stage import Stage

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def memory_stage() -> Stage:
    """Return a stage on a new ledger, whose clock stands still."""
    ledger = MemoryLedger(lambda: NOW)
    return Stage(make_ledger=lambda: ledger, fence=MemoryFence(ledger), probe=MemoryProbe(ledger))


class MemoryProbe:
    """The probe of the double."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self._tables = ledger.tables

    def fires(self, job: str) -> list[FireRow]:
        return [
            FireRow(
                fire=fire.id,
                fire_time=fire.fire_time,
                run=fire.run,
                state=fire.state,
                reason=fire.reason,
                missed_count=fire.missed_count,
                first_missed=fire.first_missed,
                coalesced_into=fire.coalesced_into,
            )
            for fire in self._fires(job)
        ]

    def executions(self, job: str) -> list[ExecutionRow]:
        return [
            ExecutionRow(
                execution=execution.id,
                fire=execution.fire.id,
                item=execution.item,
                state=execution.state,
                reason=execution.reason,
                attempt=execution.attempt,
                token=execution.token,
                instance=execution.instance,
                message=execution.message,
                progress=execution.progress,
            )
            for fire in self._fires(job)
            for execution in fire.executions.values()
        ]

    def tokens(self, job: str) -> dict[int, int]:
        return {number: row.token for (name, number), row in self._tables.items.items() if name == job}

    def shown(self) -> tuple[Cluster, str, datetime] | None:
        return self._ledger.shown

    def rewind(self, job: str, seconds: float) -> None:
        row = self._tables.jobs[job]
        row.counted_to = self._ledger.clock() - timedelta(seconds=seconds)
        if isinstance(row.job.trigger, IntervalTrigger):
            object.__setattr__(row.job.trigger, "anchor", row.counted_to.replace(microsecond=0))

    def retry_later(self, execution: int) -> None:
        self._tables.live[execution].state = ExecutionState.WAITING

    def hurry(self, execution: int) -> None:
        self._tables.live[execution].due_at = self._ledger.clock()

    def forget(self, instance: str) -> None:
        del self._tables.instances[instance]

    def instances(self) -> set[str]:
        return set(self._tables.instances)

    def markers(self) -> set[tuple[int, str]]:
        return set(self._tables.markers)

    def keep(self, job: str, *, days: int | None = None, fires: int | None = None) -> None:
        self._tables.keep[job] = Keep(days=days, fires=fires)

    def age(self, seconds: float) -> None:
        for fire in self._tables.fires.values():
            fire.settled_at = fire.settled_at and fire.settled_at - timedelta(seconds=seconds)
        for row in self._tables.instances.values():
            row.died_at = row.died_at and row.died_at - timedelta(seconds=seconds)

    def _fires(self, job: str) -> list[memory_tables.FireRow]:
        fires = (fire for fire in self._tables.fires.values() if fire.job.name == job)
        return sorted(fires, key=lambda fire: (fire.fire_time, fire.run))
