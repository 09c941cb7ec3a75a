"""Windows and runs: each fire time that ran opens a window, each run fits into one, earliest deadline first."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from chaos.checks.attempts import failovers
from chaos.shadows import RECOVERY, disturbing, starts
from chaos.values import Entry, Execution, Fault, History, Violation

GRACE = 6.0
"""Seconds that an undisturbed run may be late on a machine that others use as well."""

RAN = ("succeeded", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From the fire time to the latest start; `must` it be filled, or only may it?"""

    release: float
    deadline: float
    must: bool
    text: str


def matched(history: History) -> list[Violation]:
    """Match windows to distinct runs, item by item: a window without a run is missed, a run without one is extra."""
    found: list[Violation] = []
    runs = first_starts(history)
    windows = windows_of(history, runs)
    for slice in sorted(windows.keys() | runs.keys()):
        found += match(windows.get(slice, []), [run.at for run in runs.get(slice, [])], f"{slice[0]} item {slice[1]}")
    return found


def reruns_in_time(history: History) -> list[Violation]:
    """What a dead instance left is run again once its session has ended, unless other faults keep that back."""
    found = []
    for fault, first, second in failovers(history):
        others = [other for other in disturbing(history.faults) if other is not fault]
        begin = max(fault.begin, first.at)
        latest = latest_start(begin + history.session, begin, others)
        if second.at > latest:
            text = f"{second.at - begin:.1f} s after {fault}: {first}; then {second}"
            found.append(Violation(kind="late re-run", text=text))
    return found


def match(windows: Sequence[Window], runs: Sequence[float], where: str) -> list[Violation]:
    """Give each run, in order, the open window with the earliest deadline."""
    left, extra = sorted(windows, key=lambda window: (window.deadline, window.release)), []
    for at in sorted(runs):
        window = next((each for each in left if each.release <= at <= each.deadline), None)
        if window:
            left.remove(window)
        else:
            extra.append(Violation(kind="extra run", text=f"{where} at {at:.3f} fits into no window that is left"))
    return extra + [
        Violation(kind="missed window", text=f"{where}: {window.text}, {window.release:.0f} to {window.deadline:.1f}")
        for window in left
        if window.must
    ]


def first_starts(history: History) -> dict[tuple[str, int], list[Entry]]:
    """Return item → the first start of each of its executions."""
    first: dict[int, Entry] = {}
    for entry in sorted(starts(history), key=lambda entry: entry.at):
        first.setdefault(entry.execution, entry)
    runs: dict[tuple[str, int], list[Entry]] = defaultdict(list)
    for entry in first.values():
        runs[entry.slice].append(entry)
    return runs


def windows_of(history: History, runs: dict[tuple[str, int], list[Entry]]) -> dict[tuple[str, int], list[Window]]:
    fires = {fire.id: fire for fire in history.fires}
    faults = disturbing(history.faults)
    windows: dict[tuple[str, int], list[Window]] = defaultdict(list)
    free_at: dict[tuple[str, int], float] = {}
    ran = [execution for execution in history.executions if execution.attempt and execution.fire in fires]
    for execution in sorted(ran, key=lambda e: (fires[e.fire].fire_time, e.id)):
        release = float(fires[execution.fire].fire_time)
        deadline = latest_start(max(release, free_at.get(execution.slice, release)), release, faults)
        windows[execution.slice].append(_window(execution, release, deadline))
        # First in, first out: the next fire of this item waits for this one.
        if execution.finished_at:
            free_at[execution.slice] = max(free_at.get(execution.slice, 0.0), execution.finished_at)
    return windows


def latest_start(free_at: float, release: float, faults: Sequence[Fault]) -> float:
    """Return when a run has to have started whose item was free at a time, while faults kept others back."""
    deadline = free_at + GRACE
    for fault in sorted(faults, key=lambda fault: fault.begin):
        if fault.begin <= deadline and release <= fault.end + RECOVERY:
            deadline = max(deadline, fault.end + RECOVERY + GRACE)
    return deadline


def _window(execution: Execution, release: float, deadline: float) -> Window:
    text = f"execution {execution.id}, {execution.state}"
    return Window(release=release, deadline=deadline, must=execution.state in RAN, text=text)
