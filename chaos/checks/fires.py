"""Every fire time is accounted for once, none is made up, and nothing is opened or started early."""

from collections import Counter, defaultdict

from chaos.shadows import starts
from chaos.triggers import expected, totals
from chaos.values import Fire, History, Violation

CLOCK = 0.05
"""Seconds by which two readings of the one clock may seem to differ."""

COUNTED_AT_MOST = 1_100
"""A row that stands for more fire times says so, and not how many."""


def accounted_once(history: History) -> list[Violation]:
    """Each due fire time is in exactly one row of its job, under the revision that was in force."""
    due, found = expected(history), []
    rows: dict[tuple[str, int], Counter[int]] = defaultdict(Counter)
    for fire in _scheduled(history):
        stands_for, wrong = _stands_for(fire, due.get((fire.job, fire.revision), []))
        rows[fire.job, fire.revision].update(stands_for)
        found += wrong
    for (job, revision), times in due.items():
        counted = rows[job, revision]
        lost = [time for time in times if not counted[time]]
        twice = [time for time in times if counted[time] > 1]
        if lost:
            found.append(
                Violation(kind="lost fire time", text=f"{job} revision {revision}: {lost[:10]} of {len(lost)}")
            )
        if twice:
            found.append(Violation(kind="fire time twice", text=f"{job} revision {revision}: {twice[:10]}"))
    return found


def _scheduled(history: History) -> list[Fire]:
    return [fire for fire in history.fires if fire.run == 0]


def _stands_for(fire: Fire, due: list[int]) -> tuple[list[int], list[Violation]]:
    """Return the fire times that a row accounts for, and what is wrong with it."""
    first = fire.first_missed if fire.missed_count and fire.first_missed is not None else fire.fire_time
    times = [time for time in due if first <= time <= fire.fire_time]
    wrong = []
    if fire.fire_time not in times or first not in times:
        wrong.append(Violation(kind="phantom fire", text=f"{fire} names a time that was not due"))
    elif fire.missed_count <= COUNTED_AT_MOST and len(times) != max(1, fire.missed_count):
        wrong.append(Violation(kind="wrong count", text=f"{fire} stands for {len(times)} fire times"))
    return times, wrong


def nothing_early(history: History) -> list[Violation]:
    """No fire is opened, and no handler starts, before the fire time."""
    found = [
        Violation(kind="opened early", text=f"{fire.fire_time - fire.opened_at:.3f} s: {fire}")
        for fire in _scheduled(history)
        if fire.opened_at < fire.fire_time
    ]
    return found + [
        Violation(kind="early start", text=f"{entry.fire_time - entry.at:.3f} s: {entry}")
        for entry in starts(history)
        if entry.at < entry.fire_time
    ]


def edits_are_timely(history: History) -> list[Violation]:
    """An edit ends what was due by the time at which it was made, and no more."""
    return [
        Violation(kind="cursor moved", text=str(period))
        for period in history.periods
        if not period.asked - CLOCK <= period.after <= period.told + CLOCK
    ]


def no_phantoms(history: History) -> list[Violation]:
    """Whatever started belongs to a row of the ledger that names the same item of the same fire."""
    fires = {fire.id: fire for fire in history.fires}
    known = {
        (e.id, e.job, e.item, fires[e.fire].fire_time, fires[e.fire].run) for e in history.executions if e.fire in fires
    }
    return [
        Violation(kind="phantom execution", text=str(execution))
        for execution in history.executions
        if execution.fire not in fires
    ] + [
        Violation(kind="phantom run", text=str(entry))
        for entry in starts(history)
        if (entry.execution, entry.job, entry.item, entry.fire_time, entry.run) not in known
    ]


def all_items(history: History) -> list[Violation]:
    """A fire has one execution for each item of the configuration it was opened under; a row for missed ones none."""
    items, total_of, found = defaultdict(list), totals(history), []
    for execution in history.executions:
        items[execution.fire].append(execution.item)
    for fire in history.fires:
        total = total_of.get((fire.job, fire.revision))
        wanted = [] if fire.missed_count else list(range(fire.total))
        if sorted(items[fire.id]) != wanted or fire.total != total:
            text = f"{fire} has items {sorted(items[fire.id])}; configured were {total}"
            found.append(Violation(kind="wrong items", text=text))
    return found


def requests_answered(history: History) -> list[Violation]:
    """A fire that a person asked for is there once, however often he clicked; nobody else's is."""
    asked = Counter((request.job, request.key) for request in history.requests)
    there = Counter((fire.job, fire.run) for fire in history.fires if fire.run)
    return [
        Violation(kind="request", text=f"{job} key {key}: asked for {asked[job, key]} times, {there[job, key]} fires")
        for job, key in sorted(asked.keys() | there.keys())
        if there[job, key] != 1 or not asked[job, key]
    ]
