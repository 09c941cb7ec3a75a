"""Bugs put into retries, timeouts, take-overs and the loop on purpose: the simulator finds each."""

from collections import deque
from dataclasses import replace

from scheduling.domain.fire import ExecutionState, FireState, claimable, settled_state
from scheduling.domain.retry import Retry
from scheduling.ports import memory_finishing
from scheduling.ports.memory_ledger import MemoryLedger
from scheduling.runtime import node
from scheduling.runtime.membership import Membership
from scheduling.runtime.offset import Offset
from scheduling.tests.simulation import accounts, fence, ledger, machine, promises, workers
from scheduling.tests.simulation.seeding import check_found


def test_a_retry_more_than_the_job_allows_is_found(monkeypatch):
    delay_after = Retry.delay_after
    monkeypatch.setattr(Retry, "delay_after", lambda self, failures: delay_after(self, failures - 1))
    check_found(accounts.RETRIED)


def test_a_retry_before_its_delay_is_found(monkeypatch):
    end = memory_finishing._end

    def end_at_once(tables, execution, result, now):
        end(tables, execution, result, now)
        execution.due_at = now

    monkeypatch.setattr(memory_finishing, "_end", end_at_once)
    check_found(accounts.DELAY, first=13)


def test_a_retry_where_it_failed_is_found(monkeypatch):
    def taker(execution, cluster):
        return cluster.assignments.get(execution.job, {}).get(execution.item)

    monkeypatch.setattr(node, "taker", taker)
    check_found(accounts.ELSEWHERE, first=6)


def test_a_retry_that_waits_for_a_dead_instance_is_found(monkeypatch):
    def taker(execution, cluster):
        return execution.failed_on or cluster.assignments.get(execution.job, {}).get(execution.item)

    monkeypatch.setattr(node, "taker", taker)
    check_found(accounts.ELSEWHERE, promises.SETTLED)


def test_a_retry_that_is_overtaken_by_the_next_fire_is_found(monkeypatch):
    def without_waiting(look, mine, busy):
        due = tuple(e for e in look.executions if e.state is not ExecutionState.WAITING or e.due_at <= look.now)
        return claimable(replace(look, executions=due), mine, busy)

    monkeypatch.setattr(node, "claimable", without_waiting)
    check_found(ledger.FIRST)


def test_a_timeout_that_leaves_the_token_is_found(monkeypatch):
    def cut_off(tables, result, now):
        if not memory_finishing.holds(tables, result.attempt):
            return None
        memory_finishing._end(tables, memory_finishing.execution_of(tables, result.attempt), result, now)
        return result.attempt.token

    monkeypatch.setattr(memory_finishing, "cut_off", cut_off)
    check_found(ledger.TOKEN, fence.EFFECT)


def test_a_timeout_that_frees_the_item_while_its_handler_runs_is_found(monkeypatch):
    cut_off = memory_finishing.cut_off

    def cut_off_and_free(tables, result, now):
        token = cut_off(tables, result, now)
        if token is not None:
            tables.free(memory_finishing.execution_of(tables, result.attempt))
        return token

    monkeypatch.setattr(memory_finishing, "cut_off", cut_off_and_free)
    check_found(accounts.RUNS_ON, workers.OVERLAP, first=6)


def test_a_settling_that_takes_waiting_for_final_is_found(monkeypatch):
    def settle(self, fires=None):
        live = {row.fire.id for row in self.tables.live.values() if row.state is not ExecutionState.WAITING}
        ended = [f for f in self.tables.fires.values() if f.state is FireState.OPEN and f.id not in live]
        for fire in ended:
            fire.state, fire.reason = settled_state((row.state, row.reason) for row in fire.executions.values())
        return len(ended)

    monkeypatch.setattr(MemoryLedger, "settle", settle)
    check_found(accounts.SETTLED)


def test_a_settling_without_a_sweep_is_found(monkeypatch):
    settle = MemoryLedger.settle
    monkeypatch.setattr(MemoryLedger, "settle", lambda self, fires=None: settle(self, fires or []))
    check_found(promises.SETTLED)


def test_a_take_over_of_what_was_seen_a_while_ago_is_found(monkeypatch):
    seen = deque(maxlen=3)

    def take_over(self, *, not_after=None):
        seen.append([i for i in self.tables.items.values() if i.holder and not self._is_alive(i.holder.instance)])
        chosen = [item.holder for item in seen[0]]
        return memory_finishing.take_back(self.tables, lambda holder: holder in chosen, self.clock(), died=True)

    monkeypatch.setattr(MemoryLedger, "take_over", take_over)
    check_found(ledger.ALONE, ledger.ONCE, accounts.RUNS_ON, accounts.COUNTED, ledger.RESULT)


def test_a_lost_claim_that_nobody_asks_about_is_found(monkeypatch):
    monkeypatch.setattr(node.Node, "_confirm", lambda self: self._unconfirmed.clear())
    monkeypatch.setattr(MemoryLedger, "audit", lambda self, instance, running: ())
    check_found(promises.SETTLED, first=64)


def test_items_above_a_lowered_total_that_nobody_owns_are_found(monkeypatch):
    monkeypatch.setattr(MemoryLedger, "live_items", lambda self: {})
    check_found(promises.SETTLED, first=63)


def test_a_wrong_clock_that_nobody_minds_is_found(monkeypatch):
    monkeypatch.setattr(Offset, "note", lambda self, asked_at, now, answered_at: None)
    check_found(machine.HOLDS, first=24)


def test_deaths_that_are_declared_after_a_wipe_are_found(monkeypatch):
    bury = Membership._bury

    def without_grace(self, joined):
        self._seen_since = float("-inf")
        bury(self, joined)

    monkeypatch.setattr(Membership, "_bury", without_grace)
    check_found(ledger.DEATH, first=17)


def test_an_opening_without_the_ledgers_clock_is_found(monkeypatch):
    def allows(self, opening, now):
        row = self.tables.jobs[opening.job.name]
        return row.job.enabled and row.job.revision == opening.job.revision and opening.follows(row.counted_to)

    monkeypatch.setattr(MemoryLedger, "_allows", allows)
    check_found(ledger.EARLY)
