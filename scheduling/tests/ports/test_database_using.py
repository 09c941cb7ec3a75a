"""The fence on another database than the ledger's: a second SQLite file, or a second schema of the server."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from threading import Event
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.db import OperationalError, connection, connections
from pytest_django import DjangoDbBlocker

from scheduling.database.transactions import transact
from scheduling.domain.errors import NoLongerYours
from scheduling.domain.fire import Attempt
from scheduling.management.acts import go_beyond
from scheduling.models import Execution, Fence, Fire, Item, Marker
from scheduling.ports.ledger import Ledger
from scheduling.tests.ports.database_stage import database_stage, meanwhile, on_thread
from scheduling.tests.ports.stage import SECONDS, Stage, succeeded

pytestmark = pytest.mark.mariadb

OTHER = "other"
TABLES = (Fence, Marker, ContentType)


@pytest.fixture(scope="module")
def other_database(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Make a second database of the same kind, with no tables but those that are used there."""
    with django_db_blocker.unblock():
        described = dict(connection.settings_dict)
        if connection.vendor == "sqlite":
            described["NAME"] = str(tmp_path_factory.mktemp("other") / "other.sqlite3")
        else:
            described["NAME"] = f"{described['NAME']}_other"
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {described['NAME']} CHARACTER SET utf8mb4")
        connections.settings[OTHER] = described
        with connections[OTHER].schema_editor() as editor:
            for model in TABLES:
                editor.create_model(model)
        yield
        connections[OTHER].close()
        if connection.vendor != "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {described['NAME']}")
        del connections[OTHER], connections.settings[OTHER]


@pytest.fixture
def stage(other_database: None, transactional_db: None) -> Iterator[Stage]:
    yield database_stage()
    for model in TABLES:
        # Not what Django does: it would look for rows that refer to these, in tables that are not there.
        model._default_manager.using(OTHER).all()._raw_delete(OTHER)


@pytest.fixture
def attempt(stage: Stage) -> Attempt:
    return stage.run_all(stage.configure(), 30)[0]


def write(name: str) -> str:
    ContentType.objects.using(OTHER).create(app_label="written", model=name)
    return name


def written() -> set[str]:
    return set(ContentType.objects.using(OTHER).values_list("model", flat=True))


def tokens() -> list[tuple[str, int, int]]:
    return list(Fence.objects.using(OTHER).values_list("job", "item", "token"))


def test_what_is_written_stays_with_its_token_in_that_database(stage: Stage, attempt: Attempt) -> None:
    for name in ("one", "two"):
        with stage.fence.atomic(attempt, using=OTHER):
            write(name)
    assert written() == {"one", "two"}
    assert tokens() == [("cleanup", 0, attempt.token)]
    assert not Fence.objects.exists()
    assert not ContentType.objects.filter(app_label="written").exists()


def test_an_attempt_that_has_lost_its_item_does_not_begin(stage: Stage, attempt: Attempt) -> None:
    stage.ledger.finish([succeeded(attempt)])
    with pytest.raises(NoLongerYours), stage.fence.atomic(attempt, using=OTHER):
        pytest.fail("the block has begun")


def test_an_older_attempt_writes_nothing_after_a_newer_one(stage: Stage, attempt: Attempt) -> None:
    old, current = attempt, stage.supersede(attempt)
    with stage.fence.atomic(current, using=OTHER):
        write("by the newer")
    with pytest.raises(NoLongerYours), believing(stage, old), stage.fence.atomic(old, using=OTHER):
        write("by the older")
    assert written() == {"by the newer"}
    assert tokens() == [("cleanup", 0, current.token)]


@contextmanager
def believing(stage: Stage, attempt: Attempt) -> Iterator[None]:
    """Let an attempt that has lost its item pass the look at the ledger, as if it had been frozen right after it."""
    check, stage.fence.check = stage.fence.check, lambda attempt: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        stage.fence.check = check  # type: ignore[method-assign]


def test_an_attempt_that_was_superseded_in_its_block_may_end_it_before_the_newer_one_writes(
    stage: Stage, attempt: Attempt
) -> None:
    with stage.fence.atomic(attempt, using=OTHER):
        current = meanwhile(lambda: stage.supersede(attempt))
        write("by the older")
    with stage.fence.atomic(current, using=OTHER):
        write("by the newer")
    assert written() == {"by the older", "by the newer"}


def test_once_is_once_for_all_attempts_with_its_marker_there(stage: Stage, attempt: Attempt) -> None:
    assert stage.fence.once(attempt, "pay", partial(write, "paid"), using=OTHER) == "paid"
    current = stage.supersede(attempt)
    assert stage.fence.once(current, "pay", partial(write, "paid again"), using=OTHER) is None
    assert written() == {"paid"}
    assert list(Marker.objects.using(OTHER).values_list("execution_id", "name")) == [(attempt.execution, "pay")]
    assert not Marker.objects.exists()


def test_once_is_once_also_for_one_that_was_frozen_before_its_first_write(stage: Stage, attempt: Attempt) -> None:
    current = stage.supersede(attempt)
    stage.fence.once(current, "pay", partial(write, "by the newer"), using=OTHER)
    with believing(stage, attempt):
        with pytest.raises(NoLongerYours):
            stage.fence.once(attempt, "other", partial(write, "by the older"), using=OTHER)
        with pytest.raises(NoLongerYours):
            stage.fence.once(attempt, "pay", partial(write, "twice"), using=OTHER)
    assert written() == {"by the newer"}


def test_markers_that_a_restored_ledger_knows_nothing_of_are_of_no_other_execution(stage: Stage) -> None:
    def pay_all(ago: float, by: str) -> list[Any]:
        attempts = stage.run_all(stage.configure(sharding_total_count=5), ago, by=by)
        return [stage.fence.once(attempt, "pay", lambda: "paid", using=OTHER) for attempt in attempts]

    forget_fires()
    assert pay_all(30, "a") == ["paid"] * 5
    forget_fires()
    transact(go_beyond)
    assert pay_all(10, "b") == ["paid"] * 5


def forget_fires() -> None:
    """Let fires and executions be as in a backup that is older than all of them."""
    Item.objects.update(execution_id=None, instance_id=None)
    for model in (Fire, Execution):
        model.objects.all().delete()
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_by_name_sql(
                no_style(), [{"table": model._meta.db_table, "column": "id"}]
            ):
                cursor.execute(statement)


def test_an_error_undoes_what_was_written_and_leaves_neither_marker_nor_token(stage: Stage, attempt: Attempt) -> None:
    def fail() -> None:
        write("before the error")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stage.fence.once(attempt, "pay", fail, using=OTHER)
    assert (written(), tokens(), Marker.objects.using(OTHER).count()) == (set(), [], 0)


def test_many_that_come_together_write_once(stage: Stage, attempt: Attempt) -> None:
    def pay(_ledger: Ledger, name: str) -> Any:
        return stage.fence.once(attempt, "pay", lambda: write(name), using=OTHER)

    answers = [answer for answer in stage.together(pay, ["one", "two", "three", "four"]) if answer]
    assert len(answers) == 1
    assert written() == set(answers)


def test_first_blocks_of_many_items_do_not_hinder_each_other(stage: Stage) -> None:
    attempts = stage.run_all(stage.configure(sharding_total_count=6), 30)

    def pay(_ledger: Ledger, attempt: Attempt) -> None:
        stage.fence.once(attempt, "pay", lambda: write(str(attempt.item)), using=OTHER)

    stage.together(pay, attempts)
    assert written() == set("012345")
    assert len(tokens()) == 6


def test_a_commit_whose_answer_is_lost_has_been_done(stage: Stage, attempt: Attempt) -> None:
    with losing_the_answer_to_a_commit() as lost:
        assert stage.fence.once(attempt, "pay", partial(write, "paid"), using=OTHER) == "paid"
    assert lost.is_set()
    assert written() == {"paid"}


def test_a_lost_answer_to_a_commit_that_found_all_done_is_no_error(stage: Stage, attempt: Attempt) -> None:
    stage.fence.once(attempt, "pay", partial(write, "paid"), using=OTHER)
    current = stage.supersede(attempt)
    with losing_the_answer_to_a_commit() as lost:
        assert stage.fence.once(current, "pay", partial(write, "paid again"), using=OTHER) is None
    assert lost.is_set()
    assert written() == {"paid"}


def test_what_a_try_returned_is_forgotten_if_it_was_undone_and_an_earlier_attempt_had_been_first(
    several_writers: None, stage: Stage, attempt: Attempt, pool: ThreadPoolExecutor
) -> None:
    committing, goes_on, calls = Event(), Event(), count(1)

    def pay_and_be_frozen_before_the_commit() -> Any:
        with before_the_commit(committing.set, lambda: goes_on.wait(SECONDS)):
            return stage.fence.once(attempt, "pay", partial(write, "by the older"), using=OTHER)

    def pay() -> str:
        # The first call is undone: its marker waits for the older one's until the database gives up.
        if (call := next(calls)) == 2:
            goes_on.set()
        return write(f"by the newer, call {call}")

    older = pool.submit(on_thread, pay_and_be_frozen_before_the_commit)
    try:
        assert committing.wait(SECONDS)
        current = stage.supersede(attempt)
        with connections[OTHER].cursor() as cursor:
            # Before the server ends the older one's connection, which is idle.
            cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")
        assert stage.fence.once(current, "pay", pay, using=OTHER) is None
    finally:
        goes_on.set()
    assert older.result(SECONDS) == "by the older"
    assert written() == {"by the older"}


@contextmanager
def before_the_commit(*acts: Callable[[], object]) -> Iterator[None]:
    """Do this on this thread before its commits there."""
    other: Any = connections[OTHER]
    commit = other._commit

    def act_and_commit() -> None:
        for act in acts:
            act()
        commit()

    other._commit = act_and_commit
    try:
        yield
    finally:
        del other._commit


@contextmanager
def losing_the_answer_to_a_commit() -> Iterator[Event]:
    """Let the next commit there be done, and the connection break before it is answered."""
    lost = Event()
    other: Any = connections[OTHER]
    commit = other._commit

    def commit_and_break() -> None:
        commit()
        if not lost.is_set():
            lost.set()
            other.connection.close()
            raise OperationalError(2013, "Lost connection to server during query")

    other._commit = commit_and_break
    try:
        yield lost
    finally:
        del other._commit


def test_a_frozen_handler_keeps_nobody_from_taking_its_item(stage: Stage, attempt: Attempt) -> None:
    computing, goes_on = Event(), Event()

    def compute() -> None:
        with stage.fence.atomic(attempt, using=OTHER):
            computing.set()
            goes_on.wait(SECONDS)
            write("by the older")

    with ThreadPoolExecutor(1) as pool:
        frozen = pool.submit(on_thread, compute)
        try:
            assert computing.wait(SECONDS)
            current = stage.supersede(attempt)
            if connections[OTHER].features.has_select_for_update:
                stage.fence.once(current, "pay", partial(write, "by the newer"), using=OTHER)
        finally:
            goes_on.set()
        if connections[OTHER].features.has_select_for_update:
            with pytest.raises(NoLongerYours):
                frozen.result(SECONDS)
            assert written() == {"by the newer"}
        else:
            frozen.result(SECONDS)
            stage.fence.once(current, "pay", partial(write, "by the newer"), using=OTHER)
