"""Threads that Django did not start, and a database that does not answer them."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, connections, transaction

from scheduling.database import threads
from scheduling.database.threads import on_ledger_thread, on_worker_thread
from scheduling.domain.errors import TransactionLeftOpen
from scheduling.models import Leadership

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.mariadb]


def run(wrapper, function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(wrapper, function).result(30)


def close_after(function):
    def close():
        try:
            return function()
        finally:
            connection.close()

    return close


def idle_limit():
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@idle_transaction_timeout")
        return cursor.fetchone()[0]


def sleep_in_the_database():
    with connection.cursor() as cursor:
        cursor.execute("SELECT SLEEP(20)")


def test_a_database_that_falls_silent_does_not_keep_the_ledger_thread(on_mariadb, monkeypatch):
    monkeypatch.setattr(threads, "LEDGER_ANSWER_SECONDS", 1)
    with pytest.raises(OperationalError, match="2013"):
        run(on_ledger_thread, close_after(sleep_in_the_database))


def test_a_frozen_client_keeps_no_lock_for_long(on_mariadb):
    assert run(on_ledger_thread, close_after(idle_limit)) == 2
    assert run(on_worker_thread, close_after(idle_limit)) == 30


def test_a_thread_runs_what_it_is_given_and_returns_the_answer():
    assert run(on_ledger_thread, close_after(lambda: 7)) == 7
    assert run(on_worker_thread, close_after(lambda: 7)) == 7


def leave_atomic_open():
    transaction.atomic().__enter__()
    Leadership.objects.create(id=7)


def leave_autocommit_off():
    transaction.set_autocommit(False)
    Leadership.objects.create(id=7)


def begin_in_sql():
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("DELETE FROM scheduling_leadership")


@pytest.mark.parametrize("leave_open", [leave_atomic_open, leave_autocommit_off])
def test_a_transaction_that_a_handler_leaves_open_is_undone_and_harms_no_later_execution(transactional_db, leave_open):
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(TransactionLeftOpen, match="'default'"):
            pool.submit(on_worker_thread, leave_open).result(30)
        later = pool.submit(on_worker_thread, lambda: Leadership.objects.create(id=8).id)
        assert later.result(30) == 8
        pool.submit(connections.close_all).result(30)
    assert list(Leadership.objects.values_list("id", flat=True)) == [8]


def test_a_transaction_begun_in_sql_ends_with_its_execution(transactional_db):
    Leadership.objects.create(id=7)
    with ThreadPoolExecutor(1) as pool:
        with contextlib.suppress(TransactionLeftOpen):  # SQLite knows of it
            pool.submit(on_worker_thread, begin_in_sql).result(30)
        assert pool.submit(on_worker_thread, Leadership.objects.count).result(30) == 1
        pool.submit(connections.close_all).result(30)


@pytest.fixture
def on_mariadb(transactional_db):
    if connection.vendor != "mysql":
        pytest.skip("only MariaDB has these limits")
