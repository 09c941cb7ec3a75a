"""Locks: one that `make run` holds, and after it each process that it started; one of `deploy/cluster`."""

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

LOCK = Path(__file__).resolve().parent.parent / "var" / "run.lock"


@contextlib.contextmanager
def held(path: Path = LOCK, who: str = "make run") -> Iterator[IO[str]]:
    """Hold the lock; where somebody else does, exit with a line that says who."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            sys.exit(who_runs(lock.read(), who))
        write_holder(lock)
        yield lock


def write_holder(lock: IO[str], address: str = "", pids: list[int] | None = None) -> None:
    """Write down for others who holds the lock: this process, the site's address, the processes it started."""
    lock.seek(0)
    lock.truncate()
    json.dump({"pid": os.getpid(), "address": address, "pids": pids or []}, lock)
    lock.flush()


def who_runs(holder: str, who: str = "make run") -> str:
    """Say in one line who holds the lock and how to end it, from what the holder has written."""
    try:
        known = json.loads(holder)
    except ValueError:  # read between its truncation and its writing
        return f"`{who}` runs already."
    if is_alive(known["pid"]):
        where = f", {known['address']}" if known["address"] else ""
        return f"`{who}` runs already: pid {known['pid']}{where}. End it with Ctrl-C there, or: kill {known['pid']}"
    pids = " ".join(str(pid) for pid in known["pids"] if is_alive(pid))
    way_out = f"End them with: kill {pids}" if pids else "They are just ending: try again."
    return f"`{who}` (pid {known['pid']}) is gone, but processes that it started run on. {way_out}"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
