"""The ledger says what the journal says, everything is settled, and nothing is held."""

import math
from collections import defaultdict

from chaos.concerns import Concerns
from chaos.shadows import ends, failure_times, key, kill_times, lost_node, starts, surely_enabled
from chaos.values import Entry, Execution, Fault, History, Violation

CLOCK = 0.02
"""Seconds by which two readings of the one clock may seem to differ."""

TOLD = 2.0
"""Seconds that a result may be on its way to the ledger, and be lost with its instance."""

OVERTIME = 3.0
"""Seconds by which an attempt may outlast its timeout, on a machine that others use as well."""

EARLY = 1.0
"""Seconds by which a timeout may count from before the first line of the handler."""

LIVE = ("pending", "running", "waiting")
UNWANTED = ("disabled", "retired")
"""Reasons for which also what had begun, and whose instance has died since, is cancelled."""


def equals_journal(history: History) -> list[Violation]:
    """Each execution ended as its last attempt did, and soon after it."""
    started = {(entry.execution, entry.attempt): entry for entry in starts(history)}
    ended = {(end.execution, end.attempt): end for end in ends(history).values()}
    found, concerns = [], Concerns(history)
    for execution in history.executions:
        place = (execution.id, execution.attempt)
        start, end = started.get(place), ended.get(place)
        outcome = end.outcome if end else ""
        if wrong := _difference(history, execution, start, outcome):
            found.append(Violation(kind="ledger differs", text=f"{wrong}: {execution}; the journal: {end or start}"))
        elif start and (start.token, start.item) != (execution.token, execution.item):
            found.append(Violation(kind="ledger differs", text=f"token or item: {execution}; the journal: {start}"))
        elif start and execution.state in ("succeeded", "failed") and start.instance != execution.instance:
            found.append(Violation(kind="ledger differs", text=f"instance: {execution}; the journal: {start}"))
        elif end and execution.state == "succeeded" and _outside(execution, end.at):
            found.append(Violation(kind="ledger differs", text=f"times: {execution}; the journal: {end}"))
        elif end and _ended_at(execution) > concerns.latest(execution.slice, end.at, end.at):
            found.append(Violation(kind="ledger differs", text=f"late: {execution}; the journal: {end}"))
    return found


def _difference(history: History, execution: Execution, start: Entry | None, outcome: str) -> str:
    """Say what is wrong with the state of an execution whose last attempt came to an outcome, or to none."""
    match execution.state:
        case "succeeded":
            return "" if outcome == "done" else "succeeded, but did not end"
        case "failed" if execution.reason == "timed_out":
            return "" if start and failure_times(history)(start) is not None else "timed out, but was in time"
        case "failed":
            return "" if outcome not in ("", "done") else "failed, but did not"
        case "killed":
            return "" if start and kill_times(history)(start) and not outcome else "killed, but ended by itself"
        case "lost":
            return "" if _was_unwanted(history, execution) else "lost in spite of failover"
        case "cancelled":
            return "" if not execution.attempt or execution.reason in UNWANTED else "cancelled after it had begun"
        case _:
            return ""


def _was_unwanted(history: History, execution: Execution) -> bool:
    """Is failover off, or may the job have been disabled, so that nobody wanted it run again?"""
    enabled = surely_enabled(history, execution.job, execution.finished_at or history.end)
    return not enabled or any(job.name == execution.job and not job.failover for job in history.jobs)


def _outside(execution: Execution, at: float) -> bool:
    started, finished = execution.started_at or 0.0, execution.finished_at or 0.0
    return not started - CLOCK <= at <= finished + CLOCK


def _ended_at(execution: Execution) -> float:
    """Return when its last attempt ended, by the ledger; 0 of one that waited for another until it was cancelled."""
    return 0.0 if execution.state == "cancelled" else execution.finished_at or 0.0


def lost_with_cause(history: History) -> list[Violation]:
    """Only what ran on an instance that died is lost, and had not ended well before."""
    died = {instance.id: instance.died_at for instance in history.instances}
    node_of = {entry.instance: entry.node for entry in history.entries}
    done = {(e.execution, e.attempt): e.at for e in ends(history).values() if e.outcome == "done"}
    found, concerns = [], Concerns(history)
    for execution in (e for e in history.executions if e.state == "lost"):
        death, since = died.get(execution.instance or ""), execution.started_at or math.inf
        node = node_of.get(execution.instance or "")
        fault = lost_node(history, node, since, death) if node and death is not None else None
        if death is None or not execution.attempt or (node and not fault):
            found.append(Violation(kind="lost without cause", text=f"nobody died: {execution}"))
        elif fault and _was_told(concerns, execution, done.get((execution.id, execution.attempt), math.inf), fault):
            found.append(Violation(kind="lost without cause", text=f"done long before {fault}: {execution}"))
    return found


def _was_told(concerns: Concerns, execution: Execution, done_at: float, fault: Fault) -> bool:
    """Had an attempt ended so long before its instance died that the ledger must have known?"""
    return done_at < fault.begin - TOLD and concerns.touching(execution.slice, done_at, fault.begin) == [fault]


def timeouts_kept(history: History) -> list[Violation]:
    """Nothing goes on for long after its time is over, and nothing is ended before that, where no fault is near."""
    timeouts = {job.name: float(job.timeout) for job in history.jobs if job.timeout}
    rows = {(execution.id, execution.attempt): execution for execution in history.executions}
    ended, concerns, found = ends(history), Concerns(history), []
    for start in (entry for entry in starts(history) if entry.job in timeouts):
        row, end = rows.get((start.execution, start.attempt)), ended.get(key(start))
        if row and _ended_at(row) and not concerns.touching(start.slice, start.at, _ended_at(row)):
            at = end.at if end and row.state == "succeeded" else _ended_at(row)
            over = at - start.at - timeouts[start.job]
            if over > OVERTIME or (over < -EARLY and row.reason == "timed_out"):
                found.append(
                    Violation(kind="timeout", text=f"ended {over:+.1f} s after its time was over: {row}; {start}")
                )
    return found


def settled(history: History) -> list[Violation]:
    """At the end every fire has the state that its executions give it, and no item is held."""
    by_fire: dict[int, list[Execution]] = defaultdict(list)
    for execution in history.executions:
        by_fire[execution.fire].append(execution)
    found = [Violation(kind="unsettled", text=str(e)) for e in history.executions if e.state in LIVE]
    found += [Violation(kind="held", text=str(item)) for item in history.items if item.execution or item.instance]
    for fire in history.fires:
        if fire.settled_at is None or (by_fire[fire.id] and fire.state not in _states(by_fire[fire.id])):
            text = f"{fire}: {sorted({e.state for e in by_fire[fire.id]})}"
            found.append(Violation(kind="unsettled", text=text))
    return found


def _states(executions: list[Execution]) -> tuple[str, ...]:
    counted = {execution.state for execution in executions} - {"cancelled"}
    if not counted:
        return ("skipped", "coalesced")
    if counted == {"succeeded"}:
        return ("succeeded",)
    return ("partly_failed",) if "succeeded" in counted else ("failed",)


def tokens_counted(history: History) -> list[Violation]:
    """No start has a larger token than its item has counted to."""
    counted = {(item.job, item.number): item.token for item in history.items}
    return [
        Violation(kind="token unknown", text=str(entry))
        for entry in starts(history)
        if entry.token > counted.get(entry.slice, 0)
    ]
