"""Windows and runs: each fire time that ran opens a window, each run fits into one, earliest deadline first."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaos.checks.attempts import failovers
from chaos.concerns import Concerns
from chaos.shadows import starts
from chaos.values import Entry, Execution, Fault, History, Violation

BURIED = 1.0
"""Seconds after the end of a dead instance's session within which others may have what it left."""

LOCKED = 2.0
"""Seconds more, where its frozen client held rows."""

REPORTED = 2.0
"""Seconds within which a supervisor has said that the process that worked has died."""

STARTED = 3.0
"""Seconds from when others may have it to its start, on a machine that others use as well."""

SPAWNED = 5.0
"""Seconds more, where the handler runs in a process of its own that has to be made first."""

RAN = ("succeeded", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From the fire time to the latest start; `must` it be filled, or only may it?"""

    release: float
    deadline: float
    must: bool
    execution: int
    text: str


def matched(history: History) -> list[Violation]:
    """Match windows to distinct runs, item by item: a window without a run is missed, a run without one is extra."""
    found: list[Violation] = []
    runs = first_starts(history)
    windows = windows_of(history, runs)
    for slice in sorted(windows.keys() | runs.keys()):
        found += match(windows.get(slice, []), [run.at for run in runs.get(slice, [])], f"{slice[0]} item {slice[1]}")
    return found


def in_time(history: History) -> list[Violation]:
    """Each execution starts in its own window; to find one for each run is not enough where all are late alike."""
    runs = first_starts(history)
    first = {entry.execution: entry for entries in runs.values() for entry in entries}
    return [
        Violation(kind="late start", text=f"{late.at - window.deadline:.1f} s too late, {window.text}: {late}")
        for windows in windows_of(history, runs).values()
        for window in windows
        if (late := first.get(window.execution)) and late.at > window.deadline
    ]


def reruns_in_time(history: History) -> list[Violation]:
    """What a dead instance left is run again once its death can be known, unless other faults keep that back."""
    found, concerns, spawned = [], Concerns(history), spawning(history)
    deaths: dict[int, int] = {}
    for fault, first, second in failovers(history):
        deaths[first.execution] = deaths.get(first.execution, 0) + 1
        begin = max(fault.begin, first.at)
        latest = begin + replaced(fault, history.session) + STARTED
        others = [each for each in concerns.touching(first.slice, begin, latest) if each is not fault]
        if others or deaths[first.execution] > 1:  # from the second death on it waits, for a time by chance
            latest = concerns.latest(first.slice, begin + history.session, begin)
        if second.at > latest + spawned[first.job]:
            text = f"{second.at - begin:.1f} s after {fault}: {first}; then {second}"
            found.append(Violation(kind="late re-run", text=text))
    return found


def replaced(fault: Fault, session: float) -> float:
    """Return after how many seconds others may have what the instance left that a fault has ended."""
    match fault.kind:
        case "kill working":
            return REPORTED
        case "freeze inside":
            return session + BURIED + LOCKED
        case "hold answers" | "cut zookeeper":
            return 2 * session + BURIED  # its beats were heard, or it came back, for as long as a session lasts
        case _:
            return session + BURIED


def match(windows: Sequence[Window], runs: Sequence[float], where: str) -> list[Violation]:
    """Say which runs have no window, of all there are, and which windows that must be filled have no run.

    If neither is there, one matching gives each run a window and each such window a run (Mendelsohn and Dulmage, 1958).
    """
    _, extra = _given(windows, runs)
    missed, _ = _given([window for window in windows if window.must], runs)
    return [
        *(Violation(kind="extra run", text=f"{where} at {at:.3f} fits into no window that is left") for at in extra),
        *(
            Violation(kind="missed window", text=f"{where}: {each.text}, {each.release:.0f} to {each.deadline:.1f}")
            for each in missed
        ),
    ]


def _given(windows: Sequence[Window], runs: Sequence[float]) -> tuple[list[Window], list[float]]:
    """Give each run, in order, the open window with the earliest deadline; return what is left of both."""
    left, without = sorted(windows, key=lambda window: (window.deadline, window.release)), []
    for at in sorted(runs):
        window = next((each for each in left if each.release <= at <= each.deadline), None)
        if window:
            left.remove(window)
        else:
            without.append(at)
    return left, without


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
    concerns, spawned = Concerns(history), spawning(history)
    windows: dict[tuple[str, int], list[Window]] = defaultdict(list)
    free_at: dict[tuple[str, int], float] = {}
    ran = [execution for execution in history.executions if execution.attempt and execution.fire in fires]
    for execution in sorted(ran, key=lambda e: (fires[e.fire].fire_time, e.id)):
        release = float(fires[execution.fire].fire_time)
        deadline = concerns.latest(
            execution.slice, max(release, free_at.get(execution.slice, release)) + spawned[execution.job], release
        )
        windows[execution.slice].append(_window(execution, release, deadline))
        # First in, first out: the next fire of this item waits for this one.
        if execution.finished_at:
            free_at[execution.slice] = max(free_at.get(execution.slice, 0.0), execution.finished_at)
    return windows


def spawning(history: History) -> Mapping[str, float]:
    """Return job → the seconds that its process may take to be made."""
    return {job.name: SPAWNED if job.kills else 0.0 for job in history.jobs}


def _window(execution: Execution, release: float, deadline: float) -> Window:
    text = f"execution {execution.id}, {execution.state}"
    return Window(release=release, deadline=deadline, must=execution.state in RAN, execution=execution.id, text=text)
