"""Short transactions that are repeated when the database asks for it, and say so when its answer is unknown."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import DatabaseError, DataError, InterfaceError, OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from scheduling.domain.errors import LedgerUnavailable
from scheduling.domain.errors import gettext_noop as _

Result = TypeVar("Result")

TRIES = 5
PATIENCE = 15.0
"""Seconds after which a transaction that found locks is not tried again: SQLite has waited for 20 s by then."""

LOCKED = {1205, 1213, "40P01", "55P03"}
"""MySQL's lock wait timeout and deadlock, PostgreSQL's deadlock and lock not available; SQLite has words only."""

UNSTORABLE = {1366}
"""MySQL's text with characters that a column cannot store; its driver takes that for an operational error."""


def transact(function: Callable[[], Result]) -> Result:
    """Run `function` in an outermost transaction and return its result; it may run several times.

    Raise `LedgerUnavailable` when the connection broke: the transaction may have been committed or not; `DataError`
    when the database cannot store what it was given.
    """
    until = time.monotonic() + PATIENCE
    for _try in range(TRIES - 1):
        try:
            with transaction.atomic(durable=True):
                return function()
        except (OperationalError, InterfaceError) as error:
            if not is_locked(error, connection) or time.monotonic() > until:
                raise _finding(error) from error
        pause()
    with answered(), transaction.atomic(durable=True):
        return function()


@contextmanager
def answered() -> Iterator[None]:
    """Turn a missing answer of the database into `LedgerUnavailable`; the next statement opens a new connection."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise _finding(error) from error


def pause() -> None:
    """Wait 5 to 50 ms before the next try: not worth waking for, and random, so that two that met part."""
    time.sleep(random.uniform(0.005, 0.05))


def is_locked(error: DatabaseError | InterfaceError, connection: BaseDatabaseWrapper) -> bool:
    """Did others hold a lock for too long, so that the same transaction may be run again?"""
    return _code(error) in LOCKED or (connection.vendor == "sqlite" and "locked" in str(error))


def _code(error: DatabaseError | InterfaceError) -> object:
    return getattr(error.__cause__, "sqlstate", None) or (error.args[0] if error.args else None)


def _finding(error: OperationalError | InterfaceError) -> LedgerUnavailable | DataError:
    if _code(error) in UNSTORABLE:
        return DataError(*error.args)
    if not connection.in_atomic_block:
        connection.close()
    return LedgerUnavailable(_("the database gave no answer: %(error)s"), error=error)
