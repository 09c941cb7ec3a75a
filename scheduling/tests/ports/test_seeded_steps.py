"""Bugs put into single steps of the ledger's double, one at a time, turn its suite red."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from scheduling.domain.fire import ExecutionState
from scheduling.ports import memory_ledger
from scheduling.ports.ledger import Cursors
from scheduling.ports.memory_ledger import MemoryLedger
from scheduling.ports.memory_tables import ExecutionRow, Tables
from scheduling.tests.ports.ledger_suite import LedgerSuite
from scheduling.tests.ports.memory_stage import memory_stage
from scheduling.tests.ports.seeding import is_red

SUITE = LedgerSuite()


def start_with_the_executions_own_token(ledger: MemoryLedger, execution: ExecutionRow, by: str, claim: str) -> None:
    item = ledger.tables.items[execution.key]
    item.holder, item.token = execution, (execution.token or 0) + 1
    execution.state, execution.attempt = ExecutionState.RUNNING, execution.attempt + 1
    execution.token, execution.instance, execution.claim = item.token, by, claim


def cursors_by_fires(ledger: MemoryLedger) -> Cursors:
    cursors = read_cursors(ledger)
    times = {fire.job.name: fire.fire_time for fire in ledger.tables.fires.values()}
    jobs = {name: replace(c, counted_to=times.get(name, c.counted_to)) for name, c in cursors.jobs.items()}
    return replace(cursors, jobs=jobs)


def request_as_if_triggered(tables: Tables, job: Any, fire_time: Any, run: int = 0) -> Any:
    return insert_fire(tables, job, fire_time)


def die_unjoined(ledger: MemoryLedger, instance: str, *, by: str) -> bool:
    row = ledger.tables.instances.get(instance)
    if row is None or row.dead:
        return False
    row.dead = True
    return True


def allows_any_revision(ledger: MemoryLedger, opening: Any, now: Any) -> bool:
    row = ledger.tables.jobs[opening.job.name]
    return bool(row.job.enabled and opening.follows(row.counted_to) and opening.counted_to <= now)


def allows_disabled(ledger: MemoryLedger, opening: Any, now: Any) -> bool:
    row = ledger.tables.jobs[opening.job.name]
    return bool(opening.follows(row.counted_to) and opening.counted_to <= now)


def claim_some(ledger: MemoryLedger, executions: Any, *, by: str, claim: str) -> Any:
    rows = [row for e in executions if (row := ledger.tables.live.get(e.execution)) and ledger._is_claimable(row)]
    for row in rows:
        if ledger._is_free(row):
            ledger._start(row, by, claim)
    return ledger.claimed(claim)


def claimed_with_the_jobs_own_total(ledger: MemoryLedger, claim: str) -> Any:
    totals = {name: row.job.sharding_total_count for name, row in ledger.tables.jobs.items()}
    return tuple(replace(attempt, total=totals[attempt.job]) for attempt in read_claimed(ledger, claim))


insert_fire = Tables.insert_fire
read_claimed = MemoryLedger.claimed
read_cursors = MemoryLedger.cursors

SEEDS: dict[str, tuple[object, str, Any, Callable[[Any], None]]] = {
    "1 token from the execution": (
        MemoryLedger,
        "_start",
        start_with_the_executions_own_token,
        SUITE.test_the_token_grows_with_every_fire,
    ),
    "5 counts not compared": (
        MemoryLedger,
        "claim",
        claim_some,
        SUITE.test_one_held_item_keeps_all_from_being_claimed,
    ),
    "6 death not checked": (
        MemoryLedger,
        "_is_alive",
        lambda ledger, instance: True,
        SUITE.test_a_dead_instance_claims_nothing,
    ),
    "21 any revision": (
        MemoryLedger,
        "_allows",
        allows_any_revision,
        lambda stage: SUITE.test_a_job_of_another_revision_is_not_won(stage, 1),
    ),
    "21 disabled": (MemoryLedger, "_allows", allows_disabled, SUITE.test_a_disabled_job_is_not_won),
    "21 own total": (
        MemoryLedger,
        "claimed",
        claimed_with_the_jobs_own_total,
        lambda stage: SUITE.test_an_edit_leaves_pending_executions_with_what_they_were_opened_with(stage, 3),
    ),
    "22 cursor from the fires": (
        MemoryLedger,
        "cursors",
        cursors_by_fires,
        SUITE.test_a_request_leaves_the_cursor_where_it_is,
    ),
    "23 edit without a row": (
        memory_ledger,
        "account_for",
        lambda *row: None,
        SUITE.test_one_row_stands_for_what_was_due_under_the_old_trigger,
    ),
    "24 request without its key": (
        Tables,
        "insert_fire",
        request_as_if_triggered,
        SUITE.test_the_same_key_again_is_the_same_fire,
    ),
    "27 retired with pending rows": (
        memory_ledger,
        "CLAIMABLE",
        (),
        SUITE.test_what_was_pending_when_a_job_was_retired_does_not_come_back_with_it,
    ),
    "31 death of one that never joined": (
        MemoryLedger,
        "die",
        die_unjoined,
        SUITE.test_an_instance_that_never_joined_is_not_declared_dead,
    ),
    "32 orphans without a row": (
        MemoryLedger,
        "_is_alive",
        lambda ledger, instance: not (row := ledger.tables.instances.get(instance or "")) or not row.dead,
        SUITE.test_what_an_instance_without_a_row_ran_is_taken_too,
    ),
}


@pytest.mark.parametrize("seeded", [True, False], ids=["seeded", "as it is"])
@pytest.mark.parametrize("bug", SEEDS)
def test_a_step_that_forgets_something_is_found(bug: str, seeded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, replacement, test = SEEDS[bug]
    if seeded:
        monkeypatch.setattr(owner, name, replacement)
    assert is_red(test, memory_stage()) == seeded
