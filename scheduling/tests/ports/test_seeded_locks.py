"""Bugs put into locks, transactions and clocks of the database turn the tests of those red, and nothing else does."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now

from scheduling.database import claiming, clock, fence, finishing, ledger, threads, transactions
from scheduling.database.clock import DatabaseNow
from scheduling.database.ledger import DatabaseLedger
from scheduling.database.opening import OpeningBatch
from scheduling.domain.errors import InstanceDead
from scheduling.domain.fire import Result, Verdict
from scheduling.models import Cursor, Instance
from scheduling.tests.ports import test_database_frozen, test_database_locks, test_database_unstored
from scheduling.tests.ports.database_stage import database_stage
from scheduling.tests.ports.seeding import is_red
from scheduling.tests.ports.stage import SECONDS, Stage

pytestmark = [pytest.mark.usefixtures("transactional_db"), pytest.mark.mariadb]

Answer = TypeVar("Answer")
PATIENCE_WITH_A_SEED = 2


@pytest.fixture(params=[True, False], ids=["seeded", "as it is"])
def seeded(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def stage() -> Stage:
    return database_stage()


def test_a_claim_that_reads_without_a_lock_whether_its_instance_is_dead(
    several_writers: None, stage: Stage, pool: ThreadPoolExecutor, seeded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seeded:
        monkeypatch.setattr(claiming, "check_alive", read_alive)
        monkeypatch.setattr(test_database_locks, "A_MOMENT", SECONDS)  # the death does not wait, but may take its time
    test = test_database_locks.test_a_death_waits_for_a_claim_that_is_under_way
    assert is_red(lambda stage: test(stage, pool, monkeypatch), stage) == seeded


def test_an_opening_that_locks_in_any_order(
    several_writers: None, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seeded:
        monkeypatch.setattr(OpeningBatch, "lock", lock_as_they_come)
    test = test_database_locks.test_instances_that_do_everything_at_one_instant_neither_deadlock_nor_run_anything_twice
    assert is_red(test, stage) == seeded


@pytest.mark.parametrize(
    ("module", "test"),
    [
        (threads, test_database_frozen.test_what_is_frozen_in_the_middle_of_a_result_is_taken_over),
        (fence, test_database_frozen.test_what_is_frozen_at_the_end_of_a_block_is_taken_over),
    ],
    ids=["ledger", "fence"],
)
def test_a_transaction_that_may_be_idle_for_ever(
    several_writers: None, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch, module: Any, test: Any
) -> None:
    test_database_frozen.limit_to_a_second(monkeypatch)
    if seeded:
        monkeypatch.setattr(module, "limit_idle", lambda seconds, connection: None)
        monkeypatch.setattr(test_database_frozen, "PATIENCE", PATIENCE_WITH_A_SEED)
    assert is_red(lambda stage: test(stage, test_database_frozen.orphaned(stage)), stage) == seeded


@pytest.mark.parametrize(
    ("owner", "name", "replacement"),
    [(clock, "CLOCKS", clock.CLOCKS | {"mysql": "NOW(6)"}), (DatabaseNow, "as_mysql", Now.as_mysql)],
    ids=["read", "written"],
)
def test_a_clock_in_the_zone_of_the_session(
    several_writers: None,
    stage: Stage,
    seeded: bool,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    replacement: object,
) -> None:
    if seeded:
        monkeypatch.setattr(owner, name, replacement)
    test = test_database_locks.test_the_database_tells_the_time_in_utc_whatever_zone_its_session_is_in
    assert is_red(test, stage) == seeded


@pytest.mark.parametrize(
    ("owner", "name", "replacement"),
    [
        (DatabaseLedger, "_finish", lambda self, results, not_after: write(self, results)),
        (transactions, "UNSTORABLE", {}),
    ],
    ids=["not written alone", "taken for no answer"],
)
def test_a_message_that_keeps_its_batch_from_being_written(
    several_writers: None,
    stage: Stage,
    seeded: bool,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    replacement: object,
) -> None:
    if seeded:
        monkeypatch.setattr(owner, name, replacement)
    test = (
        test_database_unstored.test_a_message_that_cannot_be_stored_keeps_neither_its_item_nor_the_others_of_its_batch
    )
    with test_database_unstored.messages_in_an_older_character_set():
        assert is_red(test, stage) == seeded


def test_a_transaction_that_goes_on_after_it_has_waited_for_a_lock(
    several_writers: None, stage: Stage, pool: ThreadPoolExecutor, seeded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seeded:
        monkeypatch.setattr(ledger, "transact", transact_and_go_on)
        monkeypatch.setattr(
            test_database_locks, "LONGER_THAN_A_LOCK_WAIT", 2 * test_database_locks.LONGER_THAN_A_LOCK_WAIT
        )
    test = test_database_locks.test_a_fire_is_opened_whole_although_somebody_holds_an_item_for_too_long
    assert is_red(lambda stage: test(None, stage, pool), stage) == seeded


def test_transactions_of_sqlite_that_are_deferred(
    one_writer: None, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seeded:
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "transaction_mode", "DEFERRED")
    connection.close()
    test = test_database_locks.test_a_transaction_that_reads_before_it_writes_need_not_be_repeated_as_others_write
    try:
        assert is_red(test, stage) == seeded
    finally:
        monkeypatch.undo()
        connection.close()


@pytest.fixture
def one_writer() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite has transactions that are deferred")


def read_alive(by: str) -> None:
    if not Instance.objects.filter(id=by, died_at__isnull=True).exists():
        raise InstanceDead("instance %(instance)s has been declared dead", instance=by)


lock_in_order = OpeningBatch.lock


def lock_as_they_come(batch: OpeningBatch) -> None:
    for job in batch.by_job:
        list(Cursor.objects.select_for_update().filter(job=job))
    lock_in_order(batch)


def write(ledger: DatabaseLedger, results: Sequence[Result]) -> dict[int, Verdict]:
    return transactions.transact(lambda: finishing.write_results(results, ledger._rows, None))


def transact_and_go_on(function: Callable[[], Answer]) -> Answer:
    with transaction.atomic(durable=True):
        try:
            return function()
        except OperationalError:
            return function()
