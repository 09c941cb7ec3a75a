"""The fence: transactions of handlers that count only while the attempt holds its item."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import QuerySet

from scheduling.database.limits import FENCE_IDLE_SECONDS, WORKER_IDLE_SECONDS, limit_idle
from scheduling.database.rows import Rows
from scheduling.database.transactions import TRIES, answered, is_locked, pause
from scheduling.domain.errors import AutocommitOff, NoLongerYours
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.fire import Attempt
from scheduling.models import Item, Marker


class _AlreadyDone(Exception):
    """Another transaction has written the marker."""


class DatabaseFence:
    """`scheduling.ports.ledger.Fence` on the default database."""

    def __init__(self) -> None:
        self._rows = Rows()

    @contextmanager
    def atomic(self, attempt: Attempt) -> Iterator[None]:
        _check(self._held(attempt), attempt)
        if not connection.in_atomic_block and not connection.get_autocommit():
            raise AutocommitOff
        try:
            with transaction.atomic(durable=True):
                yield
                # At the end, so that a handler that computes for long keeps no lock of the ledger meanwhile.
                limit_idle(FENCE_IDLE_SECONDS)
                _check(self._held(attempt).select_for_update(), attempt)
        finally:
            _limit_as_before()

    def once(self, attempt: Attempt, name: str, function: Callable[[], Any]) -> Any:
        results: list[Any] = []
        for _try in range(TRIES - 1):
            try:
                self._try_once(attempt, name, function, results)
                return results[-1] if results else None
            except DatabaseError as error:
                # Rolled back, or committed and the answer lost: the marker tells at the next try.
                if not is_locked(error) and connection.connection is not None and connection.is_usable():
                    raise
                connection.close()
            pause()
        with answered():
            self._try_once(attempt, name, function, results)
        return results[-1] if results else None

    def _try_once(self, attempt: Attempt, name: str, function: Callable[[], Any], results: list[Any]) -> None:
        try:
            with self.atomic(attempt):
                if not Marker.objects.filter(execution_id=attempt.execution, name=name).exists():
                    results.append(function())
                    _mark(attempt, name)
        except _AlreadyDone:
            results.pop()  # what it stands for has been rolled back

    def _held(self, attempt: Attempt) -> "QuerySet[Item]":
        item = self._rows.items([(attempt.job, attempt.item)])[attempt.job, attempt.item]
        return Item.objects.filter(id=item, token=attempt.token, execution_id=attempt.execution)


def _check(held: "QuerySet[Item]", attempt: Attempt) -> None:
    if not list(held.values_list("id")):
        raise NoLongerYours(
            _("item %(item)s of %(job)s is no longer held under token %(token)s: this transaction is undone"),
            item=attempt.item,
            job=attempt.job,
            token=attempt.token,
        )


def _mark(attempt: Attempt, name: str) -> None:
    try:
        Marker.objects.create(execution_id=attempt.execution, name=name)
    except IntegrityError as error:
        raise _AlreadyDone from error


def _limit_as_before() -> None:
    try:
        limit_idle(WORKER_IDLE_SECONDS)
    except DatabaseError:
        connection.close()
