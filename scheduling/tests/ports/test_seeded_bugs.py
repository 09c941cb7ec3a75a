"""Bugs in claims, results and openings, put in, turn the ledger's suite red.

It is the bug that does: without it the same run is green. A seed replaces one step of an implementation by one that
forgets something. Where a bug needs a race, the race is made sure by a barrier, with the seed and without.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from threading import Barrier

import pytest
from django.db import IntegrityError
from django.db.models import QuerySet

from scheduling.database import claiming, finishing
from scheduling.database.ledger import DatabaseLedger
from scheduling.database.opening import OpeningBatch
from scheduling.database.rows import Rows
from scheduling.database.transactions import transact
from scheduling.domain.errors import BrokenLedger
from scheduling.domain.fire import Attempt, ExecutionState, Result, Verdict
from scheduling.domain.misfire import Opening
from scheduling.models import Item
from scheduling.ports import memory_finishing, memory_ledger
from scheduling.ports.memory_ledger import MemoryLedger
from scheduling.ports.memory_opening import check_new
from scheduling.ports.memory_tables import Tables
from scheduling.tests.ports.database_stage import database_stage
from scheduling.tests.ports.ledger_suite import LedgerSuite
from scheduling.tests.ports.memory_stage import memory_stage
from scheduling.tests.ports.seeding import is_red
from scheduling.tests.ports.stage import SECONDS, Stage

SUITE = LedgerSuite()
still_holding = finishing.still_holding


@pytest.fixture(params=[True, False], ids=["seeded", "as it is"])
def seeded(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


class TestInMemory:
    @pytest.fixture
    def stage(self) -> Stage:
        return memory_stage()

    def test_a_claim_that_does_not_ask_whether_the_item_is_free(
        self, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if seeded:
            monkeypatch.setattr(MemoryLedger, "_is_free", lambda ledger, execution: True)
        assert is_red(SUITE.test_a_held_item_cannot_be_claimed, stage) == seeded

    def test_a_finish_without_its_token(self, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        if seeded:
            monkeypatch.setattr(memory_finishing, "holds", holds_under_any_token)
        assert is_red(SUITE.test_a_result_under_an_old_token_is_refused, stage) == seeded

    def test_a_cursor_moved_in_a_transaction_of_its_own(
        self, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if seeded:
            monkeypatch.setattr(memory_ledger, "check_new", check_after_moving)
        test = SUITE.test_an_opening_that_fails_halfway_leaves_the_cursor_where_it_was_and_no_rows
        assert is_red(test, stage) == seeded


@pytest.mark.mariadb
@pytest.mark.usefixtures("transactional_db")
class TestInTheDatabase:
    @pytest.fixture
    def stage(self) -> Stage:
        return database_stage()

    def test_a_claim_that_does_not_ask_whether_the_item_is_free(
        self, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if seeded:
            monkeypatch.setattr(claiming, "free_items", items_free_or_not)
        assert is_red(SUITE.test_a_held_item_cannot_be_claimed, stage) == seeded

    def test_a_finish_without_its_token(self, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        if seeded:
            monkeypatch.setattr(finishing, "still_holding", holding_under_any_token)
        assert is_red(SUITE.test_a_result_under_an_old_token_is_refused, stage) == seeded

    def test_a_finish_whose_tokens_are_compared_for_the_whole_batch(
        self, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if seeded:
            monkeypatch.setattr(finishing, "still_holding", holding_under_a_token_of_the_batch)
        test = SUITE.test_of_two_attempts_of_one_execution_in_one_batch_the_current_one_counts
        assert is_red(lambda stage: test(stage, late_first=False), stage) == seeded

    def test_a_finish_that_counts_the_same_result_twice(
        self, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if seeded:
            monkeypatch.setattr(finishing, "still_holding", holding_as_often_as_they_come)
        assert is_red(SUITE.test_the_same_result_twice_in_one_batch_is_written_once, stage) == seeded

    def test_a_repeated_result_that_is_taken_for_fenced(
        self, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if seeded:
            monkeypatch.setattr(finishing, "_verdicts", all_fenced)
        assert is_red(SUITE.test_a_result_that_is_repeated_was_written_already, stage) == seeded

    def test_a_claim_that_does_not_ask_for_the_state(
        self, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if seeded:
            monkeypatch.setattr(claiming, "CLAIMABLE", tuple(ExecutionState))
        assert is_red(SUITE.test_what_has_ended_cannot_be_claimed, stage) == seeded

    def test_a_claim_that_does_not_ask_whether_its_instance_is_dead(
        self, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if seeded:
            monkeypatch.setattr(claiming, "check_alive", lambda by: None)
        assert is_red(SUITE.test_a_dead_instance_claims_nothing, stage) == seeded

    def test_a_settle_inside_the_finishing_transaction(
        self, several_writers: None, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        barrier = Barrier(2, timeout=SECONDS)
        if seeded:
            monkeypatch.setattr(finishing, "write_results", written_together(barrier, finishing.settle_fires))
            monkeypatch.setattr(finishing, "settle_fires", settled_before)
        else:
            monkeypatch.setattr(finishing, "write_results", written_together(barrier, settled_before))
        test = SUITE.test_the_two_last_executions_of_a_fire_leave_it_settled_by_their_own_settling
        assert is_red(test, stage) == seeded

    def test_a_cursor_moved_in_a_transaction_of_its_own(self, seeded: bool) -> None:
        stage = database_stage(LedgerThatMovesTheCursorFirst if seeded else DatabaseLedger)
        test = SUITE.test_an_opening_that_fails_halfway_leaves_the_cursor_where_it_was_and_no_rows
        assert is_red(test, stage) == seeded


def holds_under_any_token(tables: Tables, attempt: Attempt) -> bool:
    holder = tables.items[attempt.job, attempt.item].holder
    return holder is not None and holder.id == attempt.execution


def check_after_moving(tables: Tables, openings: Sequence[Opening]) -> None:
    for opening in openings:
        tables.jobs[opening.job.name].counted_to = opening.counted_to
    check_new(tables, openings)


def items_free_or_not(ids: Iterable[int]) -> "QuerySet[Item]":
    return Item.objects.filter(id__in=sorted(ids))


def holding_under_any_token(results: Sequence[Result], rows: Rows) -> list[Result]:
    executions = [result.attempt.execution for result in results]
    held = set(Item.objects.filter(execution_id__in=executions).values_list("execution_id", flat=True))
    return [result for result in results if result.attempt.execution in held]


def holding_under_a_token_of_the_batch(results: Sequence[Result], rows: Rows) -> list[Result]:
    tokens = {result.attempt.token for result in results}
    executions = [result.attempt.execution for result in results]
    items = Item.objects.filter(execution_id__in=executions, token__in=tokens)
    held = set(items.values_list("execution_id", flat=True))
    of_execution = {result.attempt.execution: result for result in results}
    return [result for execution, result in of_execution.items() if execution in held]


def holding_as_often_as_they_come(results: Sequence[Result], rows: Rows) -> list[Result]:
    return [held for result in results for held in still_holding([result], rows)]


def all_fenced(results: Sequence[Result]) -> dict[int, Verdict]:
    return {result.attempt.execution: Verdict.NO_LONGER_YOURS for result in results}


def written_together(
    barrier: Barrier, settle: Callable[[list[int]], int]
) -> Callable[[Sequence[Result], Rows, datetime | None], dict[int, Verdict]]:
    """Return a `write_results` that settles when both have written, and before either commits."""
    write_results = finishing.write_results

    def write(results: Sequence[Result], rows: Rows, not_after: datetime | None) -> dict[int, Verdict]:
        verdicts = write_results(results, rows, not_after)
        barrier.wait()
        settle([result.attempt.fire for result in results])
        barrier.wait()
        return verdicts

    return write


def settled_before(fires: Iterable[int] | None) -> int:
    return 0


class LedgerThatMovesTheCursorFirst(DatabaseLedger):
    def open(self, openings: Sequence[Opening], *, by: str) -> frozenset[str]:
        batch = OpeningBatch(openings, self._rows.jobs(opening.job.name for opening in openings), by)
        transact(batch.lock)
        transact(batch.move_cursors)
        try:
            transact(batch.insert)
        except IntegrityError as error:
            raise BrokenLedger(str(error)) from error
        return batch.won()
