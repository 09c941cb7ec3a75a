"""What a fault explains: which nodes it hits, and for how long what it did may still show."""

import math
from collections.abc import Callable

from chaos.values import Entry, Fault, History

RERUNS = frozenset(
    {
        "kill working",
        "kill both",
        "freeze long",
        "freeze inside",
        "hold zookeeper",
        "hold requests",
        "hold answers",
        "cut zookeeper",
    }
)
"""Kinds of faults after which others may run again what a node was running."""

UNCOUNTED = frozenset({"start", "stall"})
"""Not the rig's doing: everything just started, or the machine stood still. They explain lateness, and do not count."""

EDITS = frozenset({"edit"})
"""What people do: no fault, and explains nothing."""

SLACK = 0.1
"""Seconds by which the scheduler may think that a handler began before it did, and its time is over sooner."""

READ = 0.1
"""Seconds from what a transaction has read to the time that it writes down as its own."""

RECOVERY = 12.0
"""Seconds after a fault in which things may still be late: session timeout, take-over, start of a process."""

CAUGHT_UP = 3.0
"""Seconds after a start, or after the machine stood still, in which things may be late: nobody has died of it."""


def after(fault: Fault) -> float:
    """Return when a fault's shadow ends."""
    return fault.end + (CAUGHT_UP if fault.kind in UNCOUNTED else RECOVERY)


def lost_node(history: History, node: str, begin: float, end: float) -> Fault | None:
    """Return the last fault by which this node may have been declared dead between two times."""
    found = [
        fault
        for fault in history.faults
        if fault.kind in RERUNS and node in fault.nodes and fault.begin <= end and begin <= after(fault)
    ]
    return max(found, key=lambda fault: fault.begin, default=None)


def starts(history: History) -> list[Entry]:
    return [entry for entry in history.entries if entry.event == "start"]


def ends(history: History) -> dict[tuple[int, int, int], Entry]:
    """Return (execution, attempt, token) → the end that its handler noted."""
    return {(e.execution, e.attempt, e.token): e for e in history.entries if e.event == "end"}


def key(entry: Entry) -> tuple[int, int, int]:
    return (entry.execution, entry.attempt, entry.token)


Time = Callable[[Entry], float | None]
"""When something happened to the attempt that this entry is the start of; None if it did not."""


def kill_times(history: History) -> Time:
    """Return when the process of an attempt may have been killed at its timeout: no sooner than this."""
    jobs = {job.name: job for job in history.jobs}

    def killed(start: Entry) -> float | None:
        job = jobs[start.job]
        return start.at + job.timeout if job.kills and job.timeout else None

    return killed


def failure_times(history: History) -> Time:
    """Return when an attempt failed: by its outcome, or because its time was over."""
    jobs, ended = {job.name: job for job in history.jobs}, ends(history)

    def failed(start: Entry) -> float | None:
        end, timeout = ended.get(key(start)), jobs[start.job].timeout
        over_at = start.at + timeout if timeout else math.inf
        if end is None or end.at >= over_at - SLACK:
            return over_at if timeout else None
        return end.at if end.outcome != "done" else None

    return failed


def surely_enabled(history: History, job: str, at: float) -> bool:
    """Was a job enabled at a time, also if an edit that was under way then was in force already, or not yet?"""
    periods = sorted((p for p in history.periods if p.job == job and p.after <= at), key=lambda p: p.revision)
    known = max((n for n, period in enumerate(periods) if period.told <= at - READ), default=0)
    return bool(periods) and all(period.enabled for period in periods[known:])
