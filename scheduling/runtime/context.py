"""What a handler is given: its item of its fire, and the transactions that count only while the attempt holds it."""

import logging
import threading
from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, TypeVar

from scheduling.domain.errors import InvalidProgress, NoLongerYours
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.fire import Attempt
from scheduling.domain.job import check_name
from scheduling.ports.ledger import DEFAULT, Fence
from scheduling.runtime.clock import monotonic

Answer = TypeVar("Answer")


class Context:
    """One attempt, as its handler sees it."""

    def __init__(self, attempt: Attempt, fence: Fence, *, instance: str) -> None:
        self._attempt = attempt
        self._fence = fence
        self._cancelled = threading.Event()
        self._done: tuple[int, int] | None = None
        self.begun_at: float | None = None
        self.instance = instance
        self.log = AttemptLog(logging.getLogger(f"scheduling.job.{attempt.job}"), attempt, instance)

    @property
    def job(self) -> str:
        """The job's name."""
        return self._attempt.job

    @property
    def fire_time(self) -> datetime:
        """The instant the trigger named; of a manual fire, when it was asked for. Aware, UTC."""
        return self._attempt.fire_time

    @property
    def item(self) -> int:
        """The sharding item, 0 to `total` - 1."""
        return self._attempt.item

    @property
    def total(self) -> int:
        """The sharding total count that the fire was opened with."""
        return self._attempt.total

    @property
    def parameter(self) -> str:
        """The item's parameter, or an empty text."""
        return self._attempt.parameters.get(self._attempt.item, "")

    @property
    def parameters(self) -> dict[int, str]:
        """The parameters of all items that have one."""
        return dict(self._attempt.parameters)

    @property
    def attempt(self) -> int:
        """1 for the first run of this execution."""
        return self._attempt.number

    @property
    def token(self) -> int:
        """The fencing token: larger than that of every earlier attempt of this job's item."""
        return self._attempt.token

    @property
    def key(self) -> str:
        """The same for every attempt of this execution, and for no other: what others may know it by."""
        attempt = self._attempt
        return f"{attempt.job}/{attempt.fire_time:%Y%m%dT%H%M%SZ}/{attempt.run}/{attempt.item}"

    @property
    def cancelled(self) -> bool:
        """Should the handler stop? Nothing it writes through `atomic` or `once` would count any more."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise `NoLongerYours` if this attempt is cancelled, or holds its item no longer.

        For the moment before something that no transaction can undo. It may lose its item right afterwards: what is
        called must refuse what comes with a smaller `token` than it has seen, or with a key that it knows.
        """
        if self.cancelled:
            raise NoLongerYours(_("the attempt is cancelled: %(attempt)s"), attempt=describe(self._attempt))
        self._fence.check(self._attempt)

    def atomic(self, *, using: str = DEFAULT) -> AbstractContextManager[None]:
        """Open a transaction that is rolled back, with `NoLongerYours`, unless this attempt still holds its item.

        It has to be the outermost one. What it writes happens at most once per attempt, and never after another
        attempt has begun; in another database, `using`, never after another attempt has ended such a transaction
        there.
        """
        return self._fence.atomic(self._attempt, using=using)

    def once(self, name: str, function: Callable[[], Answer], *, using: str = DEFAULT) -> Answer | None:
        """Run `function` in such a transaction, exactly once per execution, and return what it returns.

        Return None if an earlier attempt of this execution has done it. `name` tells apart several in one handler;
        it is written like a job's name. `function` may be called again after a deadlock, but only one call counts.
        """
        check_name(name)
        result: Answer | None = self._fence.once(self._attempt, name, function, using=using)
        return result

    def progress(self, done: int, total: int) -> None:
        """Show how far the handler is, as whole numbers with 0 <= done <= total; it is written about once a second."""
        if type(done) is not int or type(total) is not int or not 0 <= done <= total < 2**63:
            raise InvalidProgress(
                _("progress(%(done)s, %(total)s): write whole numbers, 0 <= done <= total"), done=done, total=total
            )
        self._done = (done, total)

    def begin(self) -> None:
        """Note, by the monotonic clock, that the handler is about to be called; for the runtime."""
        self.begun_at = monotonic()

    def cancel(self) -> None:
        """Set `cancelled`; for the runtime."""
        self._cancelled.set()

    def progress_made(self) -> tuple[int, int] | None:
        """Return the last (done, total); for the runtime."""
        return self._done


class AttemptLog(logging.LoggerAdapter[logging.Logger]):
    """A logger whose every line begins with job, fire time, item and instance."""

    def __init__(self, logger: logging.Logger, attempt: Attempt, instance: str) -> None:
        super().__init__(logger)
        self._where = f"{describe(attempt)} on {instance}"

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return f"{self._where}: {msg}", kwargs


def describe(attempt: Attempt) -> str:
    """Name an attempt the same way in every log line."""
    return f"{attempt.job} {attempt.fire_time:%Y-%m-%dT%H:%M:%SZ} item {attempt.item}"
