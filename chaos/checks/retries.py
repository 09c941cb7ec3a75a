"""Retries: as many as the job allows and no more, not before their delay, and elsewhere."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from chaos.checks.attempts import reruns
from chaos.concerns import Concerns
from chaos.shadows import failure_times, lost_node, starts, surely_enabled
from chaos.values import Entry, Execution, History, Violation

CLOCK = 0.05
"""Seconds by which the journal may be behind the ledger."""


def after_failures(history: History) -> list[tuple[Entry, Entry, float]]:
    """Return the attempts that followed a failed one, and when that had failed; not those of a lost node."""
    failed_at = failure_times(history)
    found = []
    for first, second in reruns(history):
        at = failed_at(first)
        if at is not None and not lost_node(history, first.node, first.at, second.at):
            found.append((first, second, at))
    return found


def not_too_many(history: History) -> list[Violation]:
    """A failed execution is attempted again as often as its job says, and no more often."""
    retries = {job.name: job.retries for job in history.jobs}
    followed: dict[int, int] = defaultdict(int)
    for first, _, _ in after_failures(history):
        followed[first.execution] += 1
    unfailed = _unfailed(history)
    found = [
        Violation(kind="too many attempts", text=f"{followed[execution.id]} retries of {execution}")
        for execution in history.executions
        if followed[execution.id] > retries[execution.job]
    ]
    return found + [
        Violation(kind="gave up early", text=f"{retries[execution.job]} retries, yet {execution}")
        for execution in history.executions
        if execution.state in ("failed", "killed") and _was_wanted(history, execution)
        if execution.failures != retries[execution.job] + 1
        or execution.attempt - unfailed[execution.id] < retries[execution.job] + 1
    ]


def _unfailed(history: History) -> Mapping[int, int]:
    """Return execution → how many of its attempts cannot have failed, by the journal."""
    failed_at = failure_times(history)
    return Counter(entry.execution for entry in starts(history) if failed_at(entry) is None)


def _was_wanted(history: History, execution: Execution) -> bool:
    return surely_enabled(history, execution.job, execution.finished_at or history.end)


def not_too_soon(history: History) -> list[Violation]:
    """A retry waits for its delay."""
    delays = {job.name: job.retry_delay for job in history.jobs}
    return [
        Violation(kind="retried too soon", text=f"{first}, failed at {at:.3f}; {second}")
        for first, second, at in after_failures(history)
        if second.at < at + delays[first.job] - CLOCK
    ]


def elsewhere(history: History) -> list[Violation]:
    """A retry is on another instance than the one that failed, unless faults leave none."""
    concerns = Concerns(history)
    return [
        Violation(kind="retried where it failed", text=f"{first}; {second}")
        for first, second, at in after_failures(history)
        if first.instance == second.instance and not concerns.alone(first.node, at, second.at)
    ]
