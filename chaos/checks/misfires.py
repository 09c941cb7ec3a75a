"""What did not run has a reason that is true, and that the job's policy knows."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import pairwise

from chaos.concerns import LAG, RARELY, Concerns
from chaos.shadows import ends, key, starts
from chaos.values import Entry, Execution, Fire, History, Violation

EDITS = (("skipped", "edited"), ("skipped", "disabled"), ("skipped", "retired"))
MISSED = {
    "skip": (("skipped", "nobody_was_up"), *EDITS),
    "fire_once": (("coalesced", "nobody_was_up"), *EDITS),
    "fire_all": (("skipped", "too_old"), *EDITS),
}
"""Policy → state and reason of the rows that stand for fire times that were not opened."""

BY_PEOPLE = ("disabled", "retired")
CANCELLED = {
    "skip": ("still_ran", *BY_PEOPLE),
    "fire_once": ("coalesced", *BY_PEOPLE),
    "fire_all": ("too_old", *BY_PEOPLE),
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
    """An execution is cancelled only if its item ran, or faults kept it from running, until shortly before.

    What a person has cancelled by disabling the job had been due for no longer than that.
    """
    fires = {fire.id: float(fire.fire_time) for fire in history.fires}
    by_item: dict[tuple[str, int], list[Execution]] = defaultdict(list)
    for execution in history.executions:
        by_item[execution.slice].append(execution)
    held = _held(history)
    concerns, found = Concerns(history), []
    lags: Counter[str] = Counter()
    for execution in (e for e in history.executions if e.state == "cancelled" and not e.attempt):
        begin, end = fires.get(execution.fire, 0.0), execution.finished_at or history.end
        # First in, first out: only those before it keep it back.
        before = [e for e in by_item[execution.slice] if (fires.get(e.fire, 0.0), e.id) < (begin, execution.id)]
        untils = [min(end, until) for e in before for since, until in held.get(e.id, ()) if since <= end]
        free_at = max([begin, *untils])
        touched = execution.reason in BY_PEOPLE or concerns.touching(execution.slice, begin, end)
        if end > concerns.latest(execution.slice, free_at, begin) or not (touched or end < free_at + LAG):
            found.append(Violation(kind="cancelled without cause", text=str(execution)))
        elif not touched and free_at == begin:
            lags[execution.job] += 1
    return found + _too_many_lags(history, lags, "cancelled without cause")


def _held(history: History) -> dict[int, list[tuple[float, float]]]:
    """Return execution → from when until when its attempts held its item; the ledger keeps the last one only."""
    attempts: dict[int, list[Entry]] = defaultdict(list)
    for start in sorted(starts(history), key=lambda start: start.attempt):
        attempts[start.execution].append(start)
    ended, held = ends(history), {}
    for execution in history.executions:
        begun = attempts.get(execution.id, [])
        earlier = [(a.at, min(b.at, ended[key(a)].at if key(a) in ended else b.at)) for a, b in pairwise(begun)]
        last = (execution.started_at, execution.finished_at or history.end)
        held[execution.id] = earlier if last[0] is None else [*earlier, (last[0], last[1])]
    return held
