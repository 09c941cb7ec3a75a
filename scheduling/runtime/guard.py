"""What an instance checks of every answer of the ledger: that its clock is right, and that it has not gone back."""

from collections.abc import Callable, Iterable

from scheduling.domain.fire import Attempt
from scheduling.domain.instance import Holding
from scheduling.ports.ledger import Cursor, Cursors
from scheduling.runtime.leap import Leap
from scheduling.runtime.offset import Offset


class LedgerGuard:
    """What this instance knows of the ledger's clock, cursors and tokens.

    Cursors, revisions and tokens only grow. A smaller one means that the ledger was restored: fires may run again, and
    tokens that are handed out now have been handed out before. So nothing is started until people have looked at it.
    """

    def __init__(self, clock: Callable[[], float], wall_clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._offset = Offset()
        self._leap = Leap()
        self._cursors: dict[str, Cursor] = {}
        self._tokens: dict[tuple[str, int], int] = {}
        self._went_back = False

    @property
    def is_clock_right(self) -> bool:
        """Is the ledger's clock near enough to this machine's, and to what it was before, to be believed?"""
        return not self._offset.is_off and not self._leap.is_on

    @property
    def clock_offset(self) -> float:
        """Return the seconds that this machine's clock is ahead of the ledger's."""
        return self._offset.seconds

    def read(self, ask: Callable[[], Cursors]) -> Cursors:
        """Return the cursors that the ledger answers, and take note of them and of its clock."""
        asked_at, asked_at_wall = self._clock(), self._wall_clock()
        cursors = ask()
        self._offset.note(asked_at_wall, cursors.now, self._wall_clock())
        self._leap.note(asked_at, cursors.now, self._clock())
        for job, cursor in cursors.jobs.items():
            self._went_back |= job in self._cursors and _is_older(cursor, self._cursors[job])
        self._cursors.update(cursors.jobs)
        return cursors

    def note(self, attempts: Iterable[Attempt]) -> None:
        """Take note of the tokens of what was claimed here: each is larger than those of its item before."""
        for attempt in attempts:
            key = (attempt.job, attempt.item)
            known = self._tokens.get(key, 0)
            self._went_back |= attempt.token <= known
            self._tokens[key] = max(attempt.token, known)

    def holding(self) -> Holding | None:
        """Return why nothing may be started now; None if it may."""
        if self._went_back:
            return Holding.LEDGER_WENT_BACK
        if self._offset.is_off:
            return Holding.CLOCK_IS_OFF
        return Holding.CLOCK_LEAPT if self._leap.is_on else None

    def begin_again(self) -> None:
        """Forget how the clock went: this instance was away, and the others were not."""
        self._leap.forget()


def _is_older(cursor: Cursor, known: Cursor) -> bool:
    return cursor.revision < known.revision or cursor.counted_to < known.counted_to
