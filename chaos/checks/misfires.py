"""What did not run has a reason that is true, and that the job's policy knows."""

from collections import defaultdict

from chaos.shadows import disturbed
from chaos.triggers import intervals
from chaos.values import Execution, Fire, History, Violation

EDITS = (("skipped", "edited"), ("skipped", "disabled"), ("skipped", "retired"))
MISSED = {
    "skip": (("skipped", "nobody_was_up"), *EDITS),
    "fire_once": (("coalesced", "nobody_was_up"), *EDITS),
    "fire_all": (("skipped", "too_old"), *EDITS),
}
"""Policy → state and reason of the rows that stand for fire times that were not opened."""

CANCELLED = {
    "skip": ("still_ran", "disabled", "retired"),
    "fire_once": ("coalesced", "disabled", "retired"),
    "fire_all": ("too_old", "disabled", "retired"),
}
"""Policy → reasons of executions that were opened, and did not run."""


def policies_kept(history: History) -> list[Violation]:
    """A job skips only if it is to skip, and coalesces only if it is to."""
    policy = {job.name: job.misfire for job in history.jobs}
    wrong: list[Fire | Execution] = [
        fire
        for fire in history.fires
        if fire.missed_count and (fire.state, fire.reason) not in MISSED[policy[fire.job]]
    ]
    wrong += [
        execution
        for execution in history.executions
        if execution.state == "cancelled" and execution.reason not in CANCELLED[policy[execution.job]]
    ]
    return [Violation(kind="wrong policy", text=f"{policy[row.job]}: {row}") for row in wrong]


def no_idle_misses(history: History) -> list[Violation]:
    """Nobody was up, says a row only of times at which a fault, or what it left behind, was there."""
    every = intervals(history)
    return [
        Violation(kind="missed without cause", text=str(fire))
        for fire in history.fires
        if fire.missed_count and fire.reason == "nobody_was_up" and not _somebody_was_down(history, fire, every)
    ]


def _somebody_was_down(history: History, fire: Fire, every: dict[tuple[str, int], int]) -> bool:
    until = fire.fire_time + every.get((fire.job, fire.revision), 0)
    return disturbed(history, fire.first_missed or fire.fire_time, until)


def no_idle_cancels(history: History) -> list[Violation]:
    """An execution is cancelled by policy only where its item ran, or where a fault kept it from running."""
    fires = {fire.id: fire.fire_time for fire in history.fires}
    by_item: dict[tuple[str, int], list[Execution]] = defaultdict(list)
    for execution in history.executions:
        by_item[execution.slice].append(execution)
    return [
        Violation(kind="cancelled without cause", text=str(execution))
        for execution in history.executions
        if execution.state == "cancelled"
        and execution.reason in ("still_ran", "coalesced", "too_old")
        and not any(_ran_then(other, execution, fires) for other in by_item[execution.slice])
        and not disturbed(history, fires.get(execution.fire, 0), execution.finished_at or history.end)
    ]


def _ran_then(other: Execution, cancelled: Execution, fires: dict[int, int]) -> bool:
    begin, end = fires.get(cancelled.fire, 0), cancelled.finished_at or 0.0
    return other.started_at is not None and other.started_at <= end and begin <= (other.finished_at or end)
