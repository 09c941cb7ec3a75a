"""The handler that instances are frozen in: it writes two rows in one `once`, and stops where it is told to."""

import json
import os
import time
from pathlib import Path

from django.db import connection

from benchmarks.jobs import append
from scheduling import Context, job

FOLDER = Path(os.environ.get("BENCH_FOLDER", ""))
ITEMS = 5
STOP_SECONDS = 60.0
INSERT = "INSERT INTO bench_effect (execution, attempt, part) VALUES (%s, %s, %s)"


@job("freeze", sharding_total_count=ITEMS)
def freeze(context: Context) -> None:
    note("start", context)
    try:
        stop(context, "before")
        context.once(f"pay-{context.item}", lambda: pay(context))
        stop(context, "after")
    except Exception as error:
        note("end", context, type(error).__name__)
        raise
    note("end", context)


def pay(context: Context) -> None:
    write(context, 1)
    stop(context, "inside")
    write(context, 2)


def write(context: Context, part: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [context._attempt.execution, context.attempt, part])


def stop(context: Context, point: str) -> None:
    """Wait here, if it is the first attempt's point, until all that were frozen have thawed."""
    if context.attempt > 1 or json.loads((FOLDER / "points").read_text()).get(str(context.item)) != point:
        return
    note(point, context)
    ends_at = time.monotonic() + STOP_SECONDS
    while not (FOLDER / "go").exists() and time.monotonic() < ends_at:
        time.sleep(0.02)


def note(event: str, context: Context, outcome: str = "done") -> None:
    known = {"event": event, "time": time.time(), "pid": os.getpid(), "outcome": outcome}
    attempt = context._attempt
    place = {"item": context.item, "execution": attempt.execution, "attempt": context.attempt, "token": context.token}
    append(json.dumps(known | place) + "\n")
