"""A timer of the loop: something to do every so many seconds of the monotonic clock, or at once when asked."""

from collections.abc import Callable


class Timer:
    """Due at first, then `seconds` after each restart."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._due_at = float("-inf")

    def is_due(self) -> bool:
        """Has the time come?"""
        return self._clock() >= self._due_at

    def restart(self, seconds: float | None = None) -> None:
        """Be due again in its own seconds, or in these."""
        self._due_at = self._clock() + (self._seconds if seconds is None else seconds)

    def hasten(self, seconds: float) -> None:
        """Be due in these seconds, if not before."""
        self._due_at = min(self._due_at, self._clock() + seconds)

    def ring(self) -> None:
        """Be due at once."""
        self._due_at = float("-inf")

    def overdue(self) -> float:
        """Return for how many seconds it has been due: below 0 if it is not, without end if it was rung."""
        return self._clock() - self._due_at

    def left(self) -> float:
        """Return the seconds until it is due, not below 0."""
        return max(0.0, self._due_at - self._clock())
