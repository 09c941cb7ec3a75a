"""What becomes of a message that the database cannot store, as where its tables have an older character set."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from scheduling.domain.fire import ExecutionState, Verdict
from scheduling.models import Execution
from scheduling.tests.ports.database_stage import database_stage
from scheduling.tests.ports.stage import JOB, Stage, succeeded

pytestmark = pytest.mark.mariadb


@pytest.fixture
def stage(transactional_db: None) -> Iterator[Stage]:
    if connection.vendor != "mysql":
        pytest.skip("only MariaDB has columns that cannot store every character")
    with messages_in_an_older_character_set():
        yield database_stage()


@contextmanager
def messages_in_an_older_character_set() -> Iterator[None]:
    store_messages_in("latin1")
    try:
        yield
    finally:
        store_messages_in("utf8mb4")


def store_messages_in(charset: str) -> None:
    with connection.cursor() as cursor:
        table = Execution._meta.db_table
        cursor.execute(f"ALTER TABLE {table} MODIFY message longtext CHARACTER SET {charset} NOT NULL")


def test_a_message_that_cannot_be_stored_keeps_neither_its_item_nor_the_others_of_its_batch(stage: Stage) -> None:
    attempts = stage.run_all(stage.configure(sharding_total_count=3), 30)
    messages = ("one", "已归档", "three")
    results = [succeeded(attempt, message) for attempt, message in zip(attempts, messages, strict=True)]
    assert set(stage.ledger.finish(results).values()) == {Verdict.WRITTEN}
    rows = stage.probe.executions(JOB)
    assert [row.state for row in rows] == [ExecutionState.SUCCEEDED] * 3
    assert (rows[0].message, rows[2].message) == ("one", "three")
    assert rows[1].message.startswith("the message could not be stored: ")
    assert stage.ledger.look([JOB]).held == frozenset()
