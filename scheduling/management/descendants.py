"""What a process has started, and what that has started: found, ended and waited for."""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Set
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
LOOK_SECONDS = 0.01


def adopt_orphans() -> None:
    """Have descendants whose parent ends become children of this process, where the system can (Linux)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> frozenset[int]:
    """Return the children of this process, also those that have ended; nobody where the system does not tell."""
    mine = str(os.getpid())
    return frozenset(int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _parent(entry) == mine)


def end_all(group: int, spared: Set[int], seconds: float) -> bool:
    """Kill a group and all children but the spared ones, and wait for their end; False if some go on.

    It is for the time when nothing else waits for children.
    """
    until = time.monotonic() + seconds
    while _kill_once(group, spared):
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def _kill_once(group: int, spared: Set[int]) -> bool:
    """Return whether there was anything left."""
    _reap(spared)
    left = children() - spared
    for pid in left:
        _send(os.kill, pid)
    return _send(os.killpg, group) or bool(left)


def _reap(spared: Set[int]) -> None:
    for pid in children() - spared:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _send(send: Callable[[int, int], None], whom: int) -> bool:
    """Kill; return whether there is anybody."""
    try:
        send(whom, signal.SIGKILL)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _parent(entry: Path) -> str:
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return ""
