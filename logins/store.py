"""Where sessions are read, changed and ended: in the database, with copies in Redis for reading."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import Error as DatabaseFailure
from django.db import transaction

from logins import records
from logins.changes import Changes
from logins.copies import Copies, CopiesUnavailable
from logins.gate import Gate
from logins.record import Record

logger = logging.getLogger("logins.store")
T = TypeVar("T")
PRUNE_SECONDS = 60.0


class Store:
    """Sessions by digest; without `copies`, which come with their `gate`, in the database alone.

    Within a transaction of the caller Redis is not asked either: it must learn nothing that may be rolled back, and a
    transaction may see the database as it was before another process ended a session.
    """

    def __init__(
        self, copies: Copies | None = None, gate: Gate | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.copies = copies
        self.gate = gate
        self._clock = clock
        self._pruned_at = float("-inf")

    def read(self, digest: str) -> Record | None:
        """Return a session; None if there is none, it has ended or expired."""
        copy = self._asked(lambda copies: copies.get(digest))
        if copy is not None:
            return copy
        reservation = self._asked(lambda copies: copies.reserve(digest))
        record = records.read(digest)
        if record and reservation:
            self._asked(lambda copies: copies.put(digest, record, reservation))
        return record

    def change(self, digest: str, seen: Record, changes: Changes, expiry: records.Expiry) -> Record | None:
        """Write what a request has changed; None if the session has ended."""
        reservation = self._asked(lambda copies: copies.seize(digest))
        if reservation:
            record = records.change(digest, seen, changes, expiry)
            if record:
                self._show(digest, record, reservation)
            return record
        if self.copies is None:
            return records.change(digest, seen, changes, expiry)
        record = records.change_and_post(digest, seen, changes, expiry)
        self._after_commit(lambda: self._forget([digest]))
        return record

    def end(self, digests: Sequence[str]) -> int:
        """End sessions, and return how many there were; what Redis cannot be told is dropped by all within a second."""
        ended = records.end(digests)
        self._after_commit(lambda: self._forget(digests))
        return ended

    def _show(self, digest: str, record: Record, reservation: str) -> None:
        """Put the copy of a change that stands in the database; where that fails, have older ones dropped."""
        if not self._asked(lambda copies: copies.put(digest, record, reservation)):
            records.post([digest])

    def _forget(self, digests: Sequence[str]) -> None:
        """Have Redis drop what was posted; what it does not hear now it hears from whoever looks next."""
        self._asked(lambda copies: copies.drop(digests))
        if self._clock() - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = self._clock()
            self._prune()

    def _prune(self) -> None:
        """Empty the outbox of what is old, now and then: whoever posts keeps it small."""
        try:
            records.empty_outbox()
        except DatabaseFailure as error:
            logger.warning("The outbox was not emptied: %s", error)

    def _asked(self, ask: Callable[[Copies], T]) -> T | None:
        """Return what Redis says; None if it cannot be believed, does not answer or must not be asked."""
        if self.copies is None or self.gate is None or records.is_within_transaction() or not self.gate.is_open():
            return None
        try:
            return ask(self.copies)
        except CopiesUnavailable as error:
            self.gate.shut(error)
            return None

    def _after_commit(self, act: Callable[[], object]) -> None:
        """Act when the database has it: at once, unless the caller is within a transaction."""
        transaction.on_commit(act, using=records.database())
