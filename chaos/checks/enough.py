"""Was the run worth judging? So many faults, kinds, executions and failovers it needs; and did it end in order?"""

from chaos.checks.attempts import failovers
from chaos.shadows import EDITS, UNCOUNTED, starts
from chaos.values import History, Violation

PER_600_SECONDS = {"faults": 30, "kinds of faults": 8, "executions": 2_000, "failovers": 20}


def counts(history: History) -> dict[str, int]:
    """Count what a run needs enough of."""
    faults = [fault for fault in history.faults if fault.kind not in UNCOUNTED]
    return {
        "faults": sum(fault.kind not in EDITS for fault in faults),
        "kinds of faults": len({fault.kind for fault in faults}),
        "executions": len({entry.execution for entry in starts(history)}),
        "failovers": len(failovers(history)),
    }


def enough(history: History) -> list[Violation]:
    """A run in which little happened shows nothing."""
    found, share = counts(history), history.seconds / 600
    return [
        Violation(kind="too little", text=f"{found[what]} {what} of {least * share:.1f}")
        for what, least in PER_600_SECONDS.items()
        if found[what] < least * share
    ]


def in_order(history: History) -> list[Violation]:
    """Everybody drains at the end, and nothing went wrong in the rig."""
    exits = [
        Violation(kind="drain", text=f"{name} ended with exit code {code}")
        for name, code in history.exits.items()
        if code
    ]
    return exits + [Violation(kind="trouble", text=text) for text in history.troubles]
