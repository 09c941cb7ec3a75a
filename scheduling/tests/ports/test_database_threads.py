"""Threads that Django did not start, and a database that does not answer them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection

from scheduling.database import threads
from scheduling.database.threads import on_ledger_thread, on_worker_thread

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


@pytest.fixture
def on_mariadb(transactional_db):
    if connection.vendor != "mysql":
        pytest.skip("only MariaDB has these limits")
