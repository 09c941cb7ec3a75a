"""Bugs that are put into the doubles on purpose: the simulator finds each, or it would find none."""

from contextlib import contextmanager
from dataclasses import replace

from scheduling.domain.fire import ExecutionState
from scheduling.ports.ledger import DEFAULT
from scheduling.ports.memory_fence import MemoryFence
from scheduling.ports.memory_finishing import take_back
from scheduling.ports.memory_ledger import MemoryLedger
from scheduling.ports.memory_registry import MemoryRegistry
from scheduling.runtime.results import Results
from scheduling.runtime.session import Session
from scheduling.tests.simulation import accounts, fence, ledger, promises, registry, workers
from scheduling.tests.simulation.ledger import WatchedLedger
from scheduling.tests.simulation.seeding import check_found


def test_a_claim_without_compare_and_set_is_found(monkeypatch):
    def claim(self, executions, *, by, claim):
        rows = [row for e in executions if (row := self.tables.live.get(e.execution))]
        for row in rows:
            self._start(row, by, claim)
        return tuple(row.as_attempt() for row in rows)

    monkeypatch.setattr(MemoryLedger, "claim", claim)
    check_found(ledger.ONCE, ledger.ALONE, ledger.DEAD, first=48)


def test_a_take_over_without_a_death_row_is_found(monkeypatch):
    def take_over(self, *, not_after=None):
        self.world.ensemble.expire()
        gone = self.world.ensemble.sessions.keys()
        return take_back(self.tables, lambda holder: holder.instance not in gone, self.clock(), died=True)

    monkeypatch.setattr(MemoryLedger, "take_over", take_over)
    check_found(ledger.ONCE, ledger.ALONE)


def test_an_old_leaders_assignment_that_is_accepted_is_found(monkeypatch):
    monkeypatch.setattr(MemoryRegistry, "_leads", lambda self, epoch: True)
    check_found(registry.EPOCH, first=157)


def test_a_token_that_does_not_grow_is_found(monkeypatch):
    def start(self, execution, by, claim):
        item = self.tables.items[execution.key]
        item.token = max(item.token, 1)
        item.holder = execution
        execution.state = ExecutionState.RUNNING
        execution.attempt += 1
        execution.token, execution.instance, execution.claim = item.token, by, claim

    monkeypatch.setattr(MemoryLedger, "_start", start)
    check_found(ledger.TOKEN)


def test_a_fence_that_does_not_look_is_found(monkeypatch):
    monkeypatch.setattr(MemoryFence, "_check", lambda self, attempt: None)
    check_found(fence.EFFECT, first=6)


def test_a_fence_that_looks_only_at_the_start_is_found(monkeypatch):
    @contextmanager
    def atomic(self, attempt, *, using=DEFAULT):
        self._check(attempt)
        yield

    monkeypatch.setattr(MemoryFence, "atomic", atomic)
    check_found(fence.EFFECT, first=18)


def test_a_fence_without_markers_is_found(monkeypatch):
    def once(self, attempt, name, function, *, using=DEFAULT):
        with MemoryFence.atomic(self, attempt):
            function()

    monkeypatch.setattr(MemoryFence, "once", once)
    check_found(fence.TWICE)


def test_results_that_are_forgotten_when_their_write_fails_are_found(monkeypatch):
    def forgetful(self):
        results, self._unwritten = self._unwritten, []
        verdicts = self._ledger.finish(results, not_after=self._latest())
        return [(result, verdicts[result.attempt.execution]) for result in results]

    monkeypatch.setattr(Results, "_finish", forgetful)
    check_found(ledger.PUT_BACK, accounts.COUNTED, first=44)


def test_a_cursor_that_moves_without_its_fire_is_found(monkeypatch):
    opened = MemoryLedger.open

    def half(self, openings, *, by):
        return opened(self, [replace(o, fires=o.fires[1:]) if len(o.fires) > 1 else o for o in openings], by=by)

    monkeypatch.setattr(WatchedLedger, "open", half)
    check_found(promises.ACCOUNTED, first=6)


def test_a_lease_that_is_as_long_as_the_session_is_found(monkeypatch):
    monkeypatch.setattr(Session, "is_proved", lambda self: self._clock() < self._proved_at + self.timeout)
    check_found(workers.LEASE, first=4)
