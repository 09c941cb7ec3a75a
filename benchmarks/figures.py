"""What many numbers come down to: percentiles, and the median of some runs."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One execution whose handler has begun; both times in seconds of the same clock."""

    fire_time: float
    item: int
    started_at: float

    @property
    def lateness(self) -> float:
        """Return the milliseconds from the fire time to the handler's first line."""
        return (self.started_at - self.fire_time) * 1000


def percentile(numbers: Iterable[float], part: float) -> float:
    """Return the smallest of the numbers that `part` percent of them do not exceed (nearest rank)."""
    ordered = sorted(numbers)
    return ordered[max(0, math.ceil(part / 100 * len(ordered)) - 1)]


def spread(starts: Iterable[Start]) -> dict[str, float]:
    """Return p50, p99 and the last of the latenesses, in ms."""
    late = [start.lateness for start in starts]
    return {"p50": percentile(late, 50), "p99": percentile(late, 99), "last": max(late)}


def medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the median over the runs of each figure."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}
