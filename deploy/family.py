"""What a process has started, as the kernel tells it."""

import contextlib
from pathlib import Path


def children(pid: int) -> set[int]:
    """Return the processes that a process has started and that have not ended."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it has just ended
        if int(parent) == pid and state not in "ZX":
            found.add(int(path.parent.name))
    return found


def working_processes(supervisor: int) -> set[int]:
    """Return the working process of a `runscheduler`, if it has one now.

    Not every child is one: croniter runs `file` whenever it is imported, and what a handler has left behind is adopted.
    """
    return {pid for pid in children(supervisor) if b"--supervised" in _command_line(pid)}


def _command_line(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
