"""The one wrapper through which threads that Django did not start use its database connections."""

import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import close_old_connections, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from scheduling.database.limits import LEDGER_IDLE_SECONDS, WORKER_IDLE_SECONDS, limit_idle
from scheduling.domain.errors import TransactionLeftOpen

Result = TypeVar("Result")

LEDGER_ANSWER_SECONDS = 10
TIMEOUTS = ("connect_timeout", "read_timeout", "write_timeout")

_thread = threading.local()


def on_ledger_thread(function: Callable[[], Result]) -> Result:
    """Run `function`, the work of a whole thread.

    A freeze of this process keeps no lock for long, and a database that fell silent does not keep the thread.
    """
    _thread.idle_seconds = LEDGER_IDLE_SECONDS
    if connection.vendor == "mysql":
        options = connection.settings_dict["OPTIONS"] | dict.fromkeys(TIMEOUTS, LEDGER_ANSWER_SECONDS)
        connection.settings_dict = connection.settings_dict | {"OPTIONS": options}
    try:
        return function()
    finally:
        close_old_connections()


def on_worker_thread(function: Callable[[], Result]) -> Result:
    """Run `function`, one execution, as Django runs a request: no stale connection before, none left broken after.

    Raise `TransactionLeftOpen` if a transaction was: it is rolled back, so that no later execution writes into it.
    """
    _thread.idle_seconds = WORKER_IDLE_SECONDS
    close_old_connections()
    try:
        result = function()
    finally:
        used = [each.alias for each in connections.all(initialized_only=True)]
        left_open = [alias for alias in used if _end_transaction(alias)]
        close_old_connections()
    if left_open:
        raise TransactionLeftOpen(left_open[0])
    return result


def _end_transaction(alias: str) -> bool:
    """Roll back what is open on this thread's connection; return whether Django knew of it."""
    held = connections[alias]
    if held.connection is None:
        return False
    left_open = held.in_atomic_block or not held.autocommit or getattr(held.connection, "in_transaction", False)
    with contextlib.suppress(Exception):
        # Also where Django knows of nothing: a handler may have begun one in SQL.
        held.connection.rollback()
    if left_open:
        with contextlib.suppress(Exception):
            held.connection.close()
        del connections[alias]
    return bool(left_open)


def _limit_new_connection(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    if seconds := getattr(_thread, "idle_seconds", None):
        limit_idle(seconds, connection)


connection_created.connect(_limit_new_connection)
