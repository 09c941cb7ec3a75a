"""What a run measured: lateness where nothing was disturbed, and how long failovers took."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from chaos.checks.attempts import failovers
from chaos.checks.enough import counts
from chaos.checks.windows import first_starts
from chaos.concerns import Concerns
from chaos.shadows import UNCOUNTED
from chaos.values import Entry, History, Violation


def figures(history: History, violations: Sequence[Violation]) -> dict[str, Any]:
    """Return all figures of a run, as they are written down."""
    return {
        "seed": history.seed,
        "seconds": history.seconds,
        **counts(history),
        "faults by kind": dict(sorted(Counter(f.kind for f in history.faults if f.kind not in UNCOUNTED).items())),
        "inside a transaction": sum(fault.detail.endswith("inside") for fault in history.faults),
        "lateness ms": spread([1000 * late for late in undisturbed(history)]),
        "failover s": {kind: spread(times) for kind, times in sorted(failover_times(history).items())},
        "states of fires": dict(Counter(fire.state for fire in history.fires)),
        "states of executions": dict(Counter(execution.state for execution in history.executions)),
        "violations": [str(violation) for violation in violations],
    }


def undisturbed(history: History) -> list[float]:
    """Return how late each run started whose item was free, while no fault, nor what one left behind, was there."""
    free_at = {execution.id: execution.finished_at or history.end for execution in history.executions}
    concerns = Concerns(history)
    late: list[float] = []
    for runs in first_starts(history).values():
        before = 0.0
        for run in sorted(runs, key=lambda run: run.fire_time):
            if _is_plain(concerns, run, before):
                late.append(run.at - run.fire_time)
            before = max(before, free_at.get(run.execution, history.end))
    return late


def _is_plain(concerns: Concerns, run: Entry, free_at: float) -> bool:
    return run.run == 0 and free_at < run.fire_time and not concerns.touching(run.slice, run.fire_time, run.at)


def failover_times(history: History) -> dict[str, list[float]]:
    """Return kind of fault → seconds from each fault to the first start of what another instance ran again."""
    found: dict[str, list[float]] = defaultdict(list)
    for fault, first, second in failovers(history):
        found[fault.kind].append(second.at - max(fault.begin, first.at))
    return found


def spread(numbers: Iterable[float]) -> dict[str, float]:
    in_order = sorted(numbers)
    if not in_order:
        return {"count": 0}
    parts = {f"p{part}": round(in_order[max(0, math.ceil(len(in_order) * part / 100) - 1)], 2) for part in (50, 99)}
    return {"count": len(in_order), **parts, "last": round(in_order[-1], 2)}
