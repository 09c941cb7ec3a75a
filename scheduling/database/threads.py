"""The one wrapper through which threads that Django did not start use its database connections."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import close_old_connections, connection
from django.db.backends.signals import connection_created

from scheduling.database.limits import LEDGER_IDLE_SECONDS, WORKER_IDLE_SECONDS, limit_idle

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
    """Run `function`, one execution, as Django runs a request: no stale connection before, none left broken after."""
    _thread.idle_seconds = WORKER_IDLE_SECONDS
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()


def _limit_new_connection(**_signal: Any) -> None:
    if seconds := getattr(_thread, "idle_seconds", None):
        limit_idle(seconds)


connection_created.connect(_limit_new_connection)
