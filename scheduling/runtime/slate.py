"""What a child and the scheduler tell each other while a handler runs: a few numbers in memory that both see."""

import ctypes

PLACES = 6
PID, BEGUN, CANCELLED, REPORTED, DONE, TOTAL = range(PLACES)


class Slate:
    """One child's; each number is written by one side alone while an attempt runs. `memory` has `PLACES` places."""

    def __init__(self, memory: "ctypes.Array[ctypes.c_longlong]") -> None:
        self._memory = memory

    def sign(self, pid: int) -> None:
        """Tell that the child, and the process group it leads, is there."""
        self._memory[PID] = pid

    def pid(self) -> int | None:
        """Return the child, which leads a process group of the same number; None if it is not there yet."""
        return self._memory[PID] or None

    def wipe(self) -> None:
        """Forget the last attempt."""
        self._memory[BEGUN:] = [0] * (PLACES - BEGUN)

    def begin(self) -> None:
        """Tell that the handler is about to run."""
        self._memory[BEGUN] = 1

    def has_begun(self) -> bool:
        """May the handler have run?"""
        return bool(self._memory[BEGUN])

    def cancel(self) -> None:
        """Tell the handler that nothing it writes counts any more."""
        self._memory[CANCELLED] = 1

    def is_cancelled(self) -> bool:
        """Should the handler stop?"""
        return bool(self._memory[CANCELLED])

    def report(self, done: int, total: int) -> None:
        """Tell how far the handler is."""
        self._memory[DONE], self._memory[TOTAL] = done, total
        self._memory[REPORTED] = 1

    def progress(self) -> tuple[int, int] | None:
        """Return the last (done, total); the one may be newer than the other."""
        return (self._memory[DONE], self._memory[TOTAL]) if self._memory[REPORTED] else None
