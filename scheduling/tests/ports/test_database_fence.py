"""What a handler writes in the fence's transactions is there exactly if it counts; only a database can show it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import InterfaceError, OperationalError, connection, transaction

from scheduling.domain.errors import AutocommitOff, NoLongerYours
from scheduling.domain.fire import Attempt
from scheduling.models import Marker
from scheduling.ports.ledger import Ledger
from scheduling.tests.ports.database_stage import database_stage, meanwhile, on_thread
from scheduling.tests.ports.stage import SECONDS, Stage, succeeded

pytestmark = pytest.mark.mariadb


@pytest.fixture
def stage(transactional_db: None) -> Iterator[Stage]:
    yield database_stage()
    Group.objects.all().delete()


@pytest.fixture
def attempt(stage: Stage) -> Attempt:
    return stage.run_all(stage.configure(), 30)[0]


def write(name: str) -> None:
    """Write what no marker guards, to a table that the ledger does not know."""
    Group.objects.create(name=name)


def written() -> set[str]:
    return set(Group.objects.values_list("name", flat=True))


class TestAtomic:
    def test_what_is_written_stays(self, stage: Stage, attempt: Attempt) -> None:
        with stage.fence.atomic(attempt):
            write("by the holder")
        assert written() == {"by the holder"}

    def test_an_error_undoes_what_was_written(self, stage: Stage, attempt: Attempt) -> None:
        with pytest.raises(ZeroDivisionError), stage.fence.atomic(attempt):
            write("before the error")
            raise ZeroDivisionError
        assert written() == set()

    def test_after_its_end_an_attempt_writes_nothing(self, stage: Stage, attempt: Attempt) -> None:
        stage.ledger.finish([succeeded(attempt)])
        stage.ledger.settle()
        with pytest.raises(NoLongerYours), stage.fence.atomic(attempt):
            write("after the settling")
        assert written() == set()

    def test_what_a_superseded_attempt_wrote_is_undone(
        self, several_writers: None, stage: Stage, attempt: Attempt
    ) -> None:
        with pytest.raises(NoLongerYours), stage.fence.atomic(attempt):
            write("under the old token")
            meanwhile(lambda: stage.supersede(attempt))
        assert written() == set()

    def test_nothing_follows_what_a_newer_attempt_wrote(
        self, several_writers: None, stage: Stage, attempt: Attempt
    ) -> None:
        def supersede_and_write() -> None:
            with stage.fence.atomic(stage.supersede(attempt)):
                write("under the new token")

        with pytest.raises(NoLongerYours), stage.fence.atomic(attempt):
            meanwhile(supersede_and_write)
            write("under the old token")
        assert written() == {"under the new token"}

    def test_it_has_to_be_the_outermost_transaction(self, stage: Stage, attempt: Attempt) -> None:
        with pytest.raises(RuntimeError), transaction.atomic(), stage.fence.atomic(attempt):
            write("in a savepoint")
        assert written() == set()

    def test_an_item_can_be_taken_over_while_its_handler_computes_in_the_block(
        self, several_writers: None, stage: Stage, attempt: Attempt
    ) -> None:
        computing, goes_on = Event(), Event()

        def compute() -> None:
            with stage.fence.atomic(attempt):
                write("by a frozen handler")
                computing.set()
                goes_on.wait(SECONDS)

        with ThreadPoolExecutor(1) as pool:
            frozen = pool.submit(on_thread, compute)
            try:
                assert computing.wait(SECONDS)
                stage.ledger.die("a", by="b")
                assert [taken.execution for taken in stage.ledger.take_over()] == [attempt.execution]
            finally:
                goes_on.set()
            with pytest.raises(NoLongerYours):
                frozen.result(SECONDS)
        assert written() == set()


def test_without_autocommit_nothing_is_begun_that_would_not_be_committed(stage: Stage, attempt: Attempt) -> None:
    transaction.set_autocommit(False)
    try:
        with pytest.raises(AutocommitOff), stage.fence.atomic(attempt):
            write("never")
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert written() == set()


class TestOnce:
    def test_what_is_written_stays_together_with_its_marker(self, stage: Stage, attempt: Attempt) -> None:
        stage.fence.once(attempt, "archive", lambda: write("once"))
        assert written() == {"once"}
        assert list(Marker.objects.values_list("execution_id", "name")) == [(attempt.execution, "archive")]

    def test_an_error_undoes_what_was_written_and_leaves_no_marker(self, stage: Stage, attempt: Attempt) -> None:
        def fail() -> None:
            write("before the error")
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            stage.fence.once(attempt, "archive", fail)
        assert written() == set()
        assert not Marker.objects.exists()

    def test_a_later_attempt_writes_nothing_a_second_time(self, stage: Stage, attempt: Attempt) -> None:
        stage.fence.once(attempt, "archive", lambda: write("by the first"))
        stage.fence.once(stage.supersede(attempt), "archive", lambda: write("by the second"))
        assert written() == {"by the first"}

    def test_what_a_superseded_attempt_wrote_is_undone_and_the_next_attempt_writes_it(
        self, several_writers: None, stage: Stage, attempt: Attempt
    ) -> None:
        def write_and_be_superseded() -> None:
            write("by the first")
            meanwhile(lambda: stage.supersede(attempt))

        with pytest.raises(NoLongerYours):
            stage.fence.once(attempt, "archive", write_and_be_superseded)
        (current,) = stage.ledger.claimed("claim-2")
        stage.fence.once(current, "archive", lambda: write("by the second"))
        assert written() == {"by the second"}

    def test_two_threads_of_one_attempt_write_once(self, several_writers: None, stage: Stage, attempt: Attempt) -> None:
        barrier = Barrier(2, timeout=SECONDS)

        def write_together(name: str) -> str:
            barrier.wait()
            write(name)
            return name

        def write_once(_ledger: Ledger, name: str) -> Any:
            return stage.fence.once(attempt, "archive", lambda: write_together(name))

        answers = stage.together(write_once, ["one", "two"])
        assert len(written()) == Marker.objects.count() == 1
        assert {answer for answer in answers if answer} == written()

    @pytest.mark.parametrize("error", [OperationalError(2006, "Server has gone away"), InterfaceError(0, "")])
    def test_it_is_tried_again_when_the_connection_is_lost_however_the_driver_calls_that(
        self, stage: Stage, attempt: Attempt, error: Exception
    ) -> None:
        errors = [error]

        def lose_the_connection_at_first() -> str:
            write("once")
            if errors:
                connection.connection.close()
                raise errors.pop()
            return "done"

        assert stage.fence.once(attempt, "archive", lose_the_connection_at_first) == "done"
        assert written() == {"once"}

    def test_a_marker_in_a_savepoint_is_not_trusted(self, stage: Stage, attempt: Attempt) -> None:
        with pytest.raises(RuntimeError), transaction.atomic():
            stage.fence.once(attempt, "archive", lambda: write("in a savepoint"))
        stage.fence.once(attempt, "archive", lambda: write("outermost"))
        assert written() == {"outermost"}
