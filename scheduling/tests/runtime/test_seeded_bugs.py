"""Bugs put into the loop on purpose turn the tests of the loop red; without them the same tests are green."""

from dataclasses import replace

import pytest

from scheduling.domain.errors import LedgerUnavailable
from scheduling.domain.fire import claimable
from scheduling.domain.job import Misfire
from scheduling.domain.misfire import Opening
from scheduling.runtime import node, results
from scheduling.runtime.executor import ThreadWorkers
from scheduling.runtime.membership import Membership
from scheduling.tests.ports.seeding import is_red
from scheduling.tests.runtime import test_executor, test_node, test_node_faults, test_node_order
from scheduling.tests.runtime.stage import Stage


@pytest.fixture(params=[True, False], ids=["seeded", "as it is"])
def seeded(request):
    return request.param


def test_an_instance_that_claims_what_its_old_thread_still_runs(seeded, monkeypatch):
    if seeded:
        monkeypatch.setattr(node, "claimable", lambda look, mine, busy: claimable(look, mine, set()))
    test = test_node.test_an_item_that_its_old_thread_still_runs_is_not_claimed_again_by_the_same_process
    assert is_red(test, Stage()) == seeded


def test_an_instance_that_goes_on_under_the_id_that_was_declared_dead(seeded, monkeypatch):
    begin_again = Membership.begin_again
    if seeded:
        monkeypatch.setattr(Membership, "begin_again", lambda self, id: begin_again(self, self.instance.id))
    test = test_node.test_an_instance_that_was_declared_dead_while_it_is_well_goes_on_working
    assert is_red(test, Stage()) == seeded


def test_workers_that_count_as_free_while_their_cancelled_handlers_run(seeded, monkeypatch):
    def free(self):
        return len(self._free) + sum(context.cancelled for _, context in self._running.values())

    if seeded:
        monkeypatch.setattr(ThreadWorkers, "free", free)
    test = test_executor.test_a_handler_that_runs_on_although_it_was_cancelled_keeps_its_worker
    assert is_red(lambda _stage: test(), Stage()) == seeded


def test_a_lost_claim_that_is_taken_for_won(seeded, monkeypatch):
    stage, claim_together = Stage(), node.Node._claim_together

    def believe(self, executions):
        try:
            return claim_together(self, executions)
        except LedgerUnavailable:
            self._unconfirmed.clear()
            rows = [stage.ledger.tables.live[each.execution] for each in executions]
            tokens = [stage.ledger.tables.items[row.key].token + 1 for row in rows]
            self._start([replace(r.as_attempt(), token=t) for r, t in zip(rows, tokens, strict=True)])
            return True

    if seeded:
        monkeypatch.setattr(node.Node, "_claim_together", believe)
    test = test_node_faults.test_a_lost_reply_neither_starts_twice_nor_loses_anything
    assert is_red(lambda stage: test(stage, "question"), stage) == seeded


def test_an_opening_that_was_decided_on_by_an_old_cursor(seeded, monkeypatch):
    if seeded:
        monkeypatch.setattr(Opening, "follows", lambda self, counted_to: counted_to < self.counted_to)
    test = test_node_faults.test_a_lost_reply_to_an_opening_loses_no_fire_time_while_the_registry_is_away
    assert is_red(lambda stage: test(stage, monkeypatch, Misfire.FIRE_ALL), Stage()) == seeded


def test_results_that_wait_for_a_timer(seeded, monkeypatch):
    if seeded:
        monkeypatch.setattr(results, "MOST", 1_000_000)
    stage, calls = Stage(), []
    monkeypatch.setattr(stage.ledger, "finish", test_node_order.noted(calls, "finish", stage.ledger.finish))
    test = test_node_order.test_results_of_more_than_one_write_never_wait
    assert is_red(lambda stage: test(stage, calls), stage) == seeded
