"""The fence: transactions of handlers that count only while the attempt holds its item.

On the ledger's database the last statement locks the item's row. On any other it moves that database's own row of the
item to the attempt's token, which fails once a later attempt has been there.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, IntegrityError, InterfaceError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet

from scheduling.database.limits import FENCE_IDLE_SECONDS, WORKER_IDLE_SECONDS, limit_idle
from scheduling.database.rows import Rows
from scheduling.database.transactions import TRIES, answered, is_locked, pause
from scheduling.domain.errors import AutocommitOff, NoLongerYours
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.fire import Attempt
from scheduling.models import Fence, Item, Marker
from scheduling.ports.ledger import DEFAULT


class _AlreadyDone(Exception):
    """Another transaction has written the marker."""


@dataclass(slots=True)
class _Tried:
    """What the tries of one `once` have come to, and the driver's connection that the last one was made on."""

    result: Any = None
    link: Any = None

    def is_whole(self, connection: BaseDatabaseWrapper) -> bool:
        """Is that connection still there? Django opens another at the end of a block whose commit has failed."""
        same = self.link is None or connection.connection is self.link
        return connection.connection is not None and same and connection.is_usable()


class DatabaseFence:
    """`scheduling.ports.ledger.Fence` on the project's databases."""

    def __init__(self) -> None:
        self._rows = Rows()

    def check(self, attempt: Attempt) -> None:
        with answered():
            _check(self._held(attempt).exists(), attempt)

    @contextmanager
    def atomic(self, attempt: Attempt, *, using: str = DEFAULT) -> Iterator[None]:
        self.check(attempt)
        connection = connections[using]
        if not connection.in_atomic_block and not connection.get_autocommit():
            raise AutocommitOff
        try:
            with transaction.atomic(using=using, durable=True):
                yield
                # At the end, so that a handler that computes for long keeps no lock of the ledger meanwhile.
                limit_idle(FENCE_IDLE_SECONDS, connection)
                _check(self._pass(attempt, using), attempt)
        finally:
            _limit_as_before(using)

    def once(self, attempt: Attempt, name: str, function: Callable[[], Any], *, using: str = DEFAULT) -> Any:
        tried = _Tried()
        connection = connections[using]
        for _try in range(TRIES - 1):
            before = tried.result
            try:
                self._try_once(attempt, name, function, tried, using)
                return tried.result
            except (DatabaseError, InterfaceError) as error:
                if is_locked(error, connection):
                    tried.result = before  # rolled back: a marker at the next try is not this one's
                elif tried.is_whole(connection):
                    raise
                # Otherwise rolled back, or committed and the answer lost: the marker tells at the next try.
                connection.close()
            pause()
        with answered():
            self._try_once(attempt, name, function, tried, using)
        return tried.result

    def _try_once(self, attempt: Attempt, name: str, function: Callable[[], Any], tried: _Tried, using: str) -> None:
        with suppress(_AlreadyDone), self.atomic(attempt, using=using):
            tried.link = connections[using].connection
            if not Marker.objects.using(using).filter(execution_id=attempt.execution, name=name).exists():
                result = function()
                _mark(attempt, name, using)
                tried.result = result

    def _pass(self, attempt: Attempt, using: str) -> bool:
        if using == DEFAULT:
            return bool(self._held(attempt).select_for_update().values_list("id"))
        return _raise_to(attempt, using)

    def _held(self, attempt: Attempt) -> "QuerySet[Item]":
        item = self._rows.items([(attempt.job, attempt.item)])[attempt.job, attempt.item]
        return Item.objects.filter(id=item, token=attempt.token, execution_id=attempt.execution)


def _raise_to(attempt: Attempt, using: str) -> bool:
    """Move the item's row in this database to the attempt's token, and keep it locked; False if it is beyond that."""
    rows = Fence.objects.using(using).filter(job=attempt.job, item=attempt.item)
    if not rows.exists():
        # Not an upsert every time: two that meet would deadlock on the row that is there.
        row = Fence(job=attempt.job, item=attempt.item, token=attempt.token)
        Fence.objects.using(using).bulk_create([row], ignore_conflicts=True)
    return bool(rows.filter(token__lte=attempt.token).update(token=attempt.token))


def _check(holds: bool, attempt: Attempt) -> None:
    if not holds:
        raise NoLongerYours(
            _("item %(item)s of %(job)s is no longer held under token %(token)s: this transaction is undone"),
            item=attempt.item,
            job=attempt.job,
            token=attempt.token,
        )


def _mark(attempt: Attempt, name: str, using: str) -> None:
    try:
        Marker.objects.using(using).create(execution_id=attempt.execution, name=name)
    except IntegrityError as error:
        raise _AlreadyDone from error


def _limit_as_before(using: str) -> None:
    connection = connections[using]
    try:
        limit_idle(WORKER_IDLE_SECONDS, connection)
    except (DatabaseError, InterfaceError):
        connection.close()
