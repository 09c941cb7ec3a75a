"""What did not run has a reason that is true, and that the job's policy knows."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from chaos.concerns import LAG, RARELY, Concerns
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
    """A row stands only for fire times that faults, and what they left behind, kept from being opened until its end.

    An edit ends what was due before it; that is little, where nothing kept the job from firing.
    """
    concerns, edited_at, found = Concerns(history), _ends_of_revisions(history), []
    lags: Counter[str] = Counter()
    for fire in (fire for fire in history.fires if fire.missed_count):
        first = float(fire.first_missed or fire.fire_time)
        by_edit = (fire.state, fire.reason) in EDITS
        until = edited_at.get((fire.job, fire.revision), fire.opened_at) if by_edit else fire.opened_at
        touched = by_edit or concerns.touching((fire.job, None), first, until)
        if until > concerns.latest((fire.job, None), first, first) or not (touched or until < first + LAG):
            found.append(Violation(kind="missed without cause", text=str(fire)))
        elif not touched:
            lags[fire.job] += 1
    return found + _too_many_lags(history, lags, "missed without cause")


def _ends_of_revisions(history: History) -> dict[tuple[str, int], float]:
    return {(period.job, period.revision - 1): period.after for period in history.periods}


def _too_many_lags(history: History, lags: Mapping[str, int], kind: str) -> list[Violation]:
    """The machine is slow now and then; not all the time."""
    fires = Counter(fire.job for fire in history.fires)
    return [
        Violation(kind=kind, text=f"{job}: {count} times late, without a fault, of {fires[job]}")
        for job, count in lags.items()
        if count > fires[job] / RARELY
    ]


def no_idle_cancels(history: History) -> list[Violation]:
    """An execution is cancelled by policy only where its item ran, or where a fault kept it from running."""
    fires = {fire.id: fire.fire_time for fire in history.fires}
    by_item: dict[tuple[str, int], list[Execution]] = defaultdict(list)
    for execution in history.executions:
        by_item[execution.slice].append(execution)
    concerns, found = Concerns(history), []
    lags: Counter[str] = Counter()
    for execution in history.executions:
        if execution.state != "cancelled" or execution.reason not in ("still_ran", "coalesced", "too_old"):
            continue
        begin, end = float(fires.get(execution.fire, 0)), execution.finished_at or history.end
        if any(_ran_then(other, execution, fires) for other in by_item[execution.slice]):
            continue
        if concerns.touching(execution.slice, begin, end):
            continue
        if end > begin + LAG:
            found.append(Violation(kind="cancelled without cause", text=str(execution)))
        else:
            lags[execution.job] += 1
    return found + _too_many_lags(history, lags, "cancelled without cause")


def _ran_then(other: Execution, cancelled: Execution, fires: dict[int, int]) -> bool:
    begin, end = fires.get(cancelled.fire, 0), cancelled.finished_at or 0.0
    return other.started_at is not None and other.started_at <= end and begin <= (other.finished_at or end)
