"""What handlers wrote: through `once` exactly once for each execution, through `atomic` never after a later attempt."""

from collections import Counter, defaultdict

from chaos.shadows import ends, key, starts
from chaos.values import Entry, History, Violation

ONCE_JOB = "only-once"
ATOMIC_JOB = "fenced"
REFUSED = "NoLongerYours"
ROWS = 2
"""Rows of one transaction of the job that uses `atomic`."""


def once_exactly(history: History) -> list[Violation]:
    """An execution that succeeded has its effect once, any other at most once, and the ledger knows which."""
    rows = Counter(effect.execution for effect in history.effects if effect.way == "once")
    marked = {marker.execution for marker in history.markers}
    found = []
    for execution in (e for e in history.executions if e.job == ONCE_JOB):
        count = rows[execution.id]
        if count > 1 or (execution.state == "succeeded" and count != 1):
            found.append(Violation(kind="once", text=f"{count} effects of {execution}"))
        elif (count == 1) != (execution.id in marked):
            found.append(Violation(kind="marker", text=f"{count} effects, but {execution.id in marked} of {execution}"))
    return found


def atomic_whole(history: History) -> list[Violation]:
    """A transaction is there as a whole or not at all: as a whole if its handler came to its end, not if refused."""
    rows = Counter((e.execution, e.attempt, e.token) for e in history.effects if e.way == "atomic")
    ended = ends(history)
    found = []
    for entry in (entry for entry in starts(history) if entry.job == ATOMIC_JOB):
        end, count = ended.get(key(entry)), rows[key(entry)]
        done = end is not None and end.outcome == "done"
        refused = end is not None and end.outcome == REFUSED
        if count not in (0, ROWS) or (done and not count) or (refused and count):
            found.append(Violation(kind="atomic", text=f"{count} rows of {entry}, {end.outcome if end else 'no end'}"))
    return found


def effects_of_runs(history: History) -> list[Violation]:
    """Nothing is written by an attempt that never started."""
    started = {key(entry) for entry in starts(history)}
    return [
        Violation(kind="phantom effect", text=str(effect))
        for effect in history.effects
        if (effect.execution, effect.attempt, effect.token) not in started
    ]


def fenced(history: History) -> list[Violation]:
    """What an attempt did not see of earlier ones at its beginning is not there at the end either."""
    tokens: dict[tuple[str, int], list[int]] = defaultdict(list)
    for effect in history.effects:
        tokens[effect.job, effect.item].append(effect.token)
    found = []
    for look in (entry for entry in history.entries if entry.event == "look"):
        there = sum(token < look.token for token in tokens[look.slice])
        if there != look.seen:
            text = f"{look} saw {look.seen} rows of earlier attempts; there are {there}"
            found.append(Violation(kind="not fenced", text=text))
    return found


def never_stale(history: History) -> list[Violation]:
    """Nothing stays that was written after a later attempt on the same item had begun."""
    begun: dict[tuple[str, int], list[Entry]] = defaultdict(list)
    for entry in sorted(starts(history), key=lambda entry: entry.at):
        begun[entry.slice].append(entry)
    found = []
    for effect in history.effects:
        for later in begun[effect.job, effect.item]:
            if later.at >= effect.at:
                break
            if later.token > effect.token:
                found.append(Violation(kind="not fenced", text=f"{effect}, though there was {later}"))
                break
    return found
