"""When jobs should have fired, computed here and not by the product."""

from collections import defaultdict

from chaos.values import History, Period


def fire_times(period: Period, until: float) -> list[int]:
    """Return the fire times of a period up to a time: anchor + k * every, k >= 1, after its beginning."""
    if not period.enabled:
        return []
    count = max(1, int((period.after - period.anchor) // period.every) + 1)
    first = period.anchor + count * period.every
    return list(range(first, int(until // 1) + 1, period.every))


def expected(history: History) -> dict[tuple[str, int], list[int]]:
    """Return (job, revision) → the fire times that were due under it."""
    periods: dict[str, list[Period]] = defaultdict(list)
    for period in history.periods:
        periods[period.job].append(period)
    last = {cursor.job: cursor.counted_to for cursor in history.cursors}
    due = {}
    for job, found in periods.items():
        in_order = sorted(found, key=lambda period: period.revision)
        untils = [period.after for period in in_order[1:]] + [last.get(job, history.end)]
        for period, until in zip(in_order, untils, strict=True):
            due[job, period.revision] = fire_times(period, until)
    return due


def totals(history: History) -> dict[tuple[str, int], int]:
    """Return (job, revision) → the sharding total count."""
    return {(period.job, period.revision): period.total for period in history.periods}
