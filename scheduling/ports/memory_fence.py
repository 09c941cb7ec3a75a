"""The fence's double: what a handler wrote elsewhere it cannot undo, only say that it does not count."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from scheduling.domain.errors import NoLongerYours
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.fire import Attempt
from scheduling.ports.ledger import DEFAULT
from scheduling.ports.memory_ledger import MemoryLedger


class MemoryFence:
    """`scheduling.ports.ledger.Fence` over the ledger's double."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger

    def check(self, attempt: Attempt) -> None:
        self._check(attempt)

    @contextmanager
    def atomic(self, attempt: Attempt, *, using: str = DEFAULT) -> Iterator[None]:
        self._check(attempt)
        yield
        self._check(attempt)

    def once(self, attempt: Attempt, name: str, function: Callable[[], Any], *, using: str = DEFAULT) -> Any:
        self._check(attempt)
        if (attempt.execution, name) in self._ledger.tables.markers:
            return None
        result = function()
        with self._ledger.lock:
            self._check(attempt)
            self._ledger.tables.markers.add((attempt.execution, name))
        return result

    def _check(self, attempt: Attempt) -> None:
        with self._ledger.lock:
            if not self._ledger.holds(attempt):
                raise NoLongerYours(
                    _("item %(item)s of %(job)s is no longer held under token %(token)s"),
                    item=attempt.item,
                    job=attempt.job,
                    token=attempt.token,
                )
