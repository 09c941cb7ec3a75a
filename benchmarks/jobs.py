"""The handlers of the benchmarks: one does nothing but note its start, one holds its item until it is told to end."""

import atexit
import os
import time
from pathlib import Path

from scheduling import Context, job

STARTS: list[tuple[float, int, float]] = []
"""(fire time, item, start) of this process. Written when it ends, so that a note costs no system call."""

LOOK_SECONDS = 1.0
"""So seldom that a thousand that wait cost next to nothing."""

HELD = Path(os.environ.get("BENCH_HELD", ""))
JOURNAL = os.environ.get("BENCH_JOURNAL", "")


@job("bench")
def bench(context: Context) -> None:
    started_at = time.time()
    STARTS.append((context.fire_time.timestamp(), context.item, started_at))


@job("bench-hold")
def hold(context: Context) -> None:
    append(f"{context.item} {context.attempt} {os.getpid()} {time.time()}\n")
    while HELD.exists() and not context.cancelled:
        time.sleep(LOOK_SECONDS)


def append(text: str) -> None:
    """Add to the journal in one write, as other processes do at the same time."""
    descriptor = os.open(JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, text.encode())
    os.close(descriptor)


@atexit.register
def write_starts() -> None:
    if STARTS:
        append("".join(f"{fire_time} {item} {started_at}\n" for fire_time, item, started_at in STARTS))
