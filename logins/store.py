"""Where sessions are read, changed and ended: in the database, with copies in Redis for reading."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from django.db import transaction

from logins import records
from logins.changes import Changes
from logins.copies import Copies, CopiesUnavailable
from logins.gate import Gate
from logins.record import Record

T = TypeVar("T")


class Store:
    """Sessions by digest; without `copies`, which come with their `gate`, in the database alone."""

    def __init__(self, copies: Copies | None = None, gate: Gate | None = None) -> None:
        self.copies = copies
        self.gate = gate

    def read(self, digest: str) -> Record | None:
        """Return a session; None if there is none, it has ended or expired."""
        copy = self._asked(lambda copies: copies.get(digest))
        if copy is not None:
            return copy
        lease = self._asked(lambda copies: copies.lease(digest))
        record = records.read(digest)
        if record and lease:
            self._asked(lambda copies: copies.put(digest, record, lease))
        return record

    def change(self, digest: str, seen: Record, changes: Changes, expires_at: datetime) -> Record | None:
        """Write what a request has changed; None if the session has ended."""
        lease = self._asked(lambda copies: copies.seize(digest))
        if lease or not self.copies:
            record = records.change(digest, seen, changes, expires_at)
        else:
            record = records.change_and_post(digest, seen, changes, expires_at)
        if record and lease:
            self._after_commit(lambda: self._show(digest, record, lease))
        return record

    def end(self, digests: Sequence[str]) -> int:
        """End sessions, and return how many there were; what Redis cannot be told is dropped by all within a second."""
        ended = records.end(digests)
        self._after_commit(lambda: self._asked(lambda copies: copies.drop(digests)))
        return ended

    def _show(self, digest: str, record: Record, lease: str) -> None:
        """Put the copy of a change that stands in the database; where that fails, have older ones dropped."""
        if not self._asked(lambda copies: copies.put(digest, record, lease)):
            records.post([digest])

    def _asked(self, ask: Callable[[Copies], T]) -> T | None:
        """Return what Redis says; None if it cannot be believed or does not answer."""
        if self.copies is None or self.gate is None or not self.gate.is_open():
            return None
        try:
            return ask(self.copies)
        except CopiesUnavailable as error:
            self.gate.shut(error)
            return None

    def _after_commit(self, act: Callable[[], object]) -> None:
        """Act when the database has it: at once, unless the caller is within a transaction."""
        transaction.on_commit(act, using=records.database())
