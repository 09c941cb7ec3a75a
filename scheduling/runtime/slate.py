"""What a handler in a process of its own and the scheduler tell each other while it runs: a few numbers in a file."""

import mmap
import os
import struct
from typing import Self

FIELDS = struct.Struct("=qqqqq")
PID, CANCELLED, REPORTED, DONE, TOTAL = range(5)


class Slate:
    """One attempt's file, shared by two processes; each number is written by one of them alone."""

    def __init__(self, path: str) -> None:
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), FIELDS.size)

    @classmethod
    def new(cls, path: str) -> Self:
        """Make an empty one."""
        with open(path, "xb") as file:
            file.write(bytes(FIELDS.size))
        return cls(path)

    def begin(self) -> None:
        """Tell which process runs the handler."""
        self._write(PID, os.getpid())

    def pid(self) -> int | None:
        """Return the process that runs the handler; None if it has not begun."""
        return self._read(PID) or None

    def cancel(self) -> None:
        """Tell the handler that nothing it writes counts any more."""
        self._write(CANCELLED, 1)

    def is_cancelled(self) -> bool:
        """Should the handler stop?"""
        return bool(self._read(CANCELLED))

    def report(self, done: int, total: int) -> None:
        """Tell how far the handler is."""
        self._write(DONE, done)
        self._write(TOTAL, total)
        self._write(REPORTED, 1)

    def progress(self) -> tuple[int, int] | None:
        """Return the last (done, total)."""
        return (self._read(DONE), self._read(TOTAL)) if self._read(REPORTED) else None

    def close(self) -> None:
        self._memory.close()

    def _read(self, place: int) -> int:
        return int(FIELDS.unpack(self._memory[:])[place])

    def _write(self, place: int, number: int) -> None:
        self._memory[place * 8 : place * 8 + 8] = struct.pack("=q", number)
