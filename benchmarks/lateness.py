"""How late the handlers of one instance begin: its scenarios, and what their runs come down to."""

import math
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Start, medians, spread
from benchmarks.site import Site, eventually

NEVER = "0 0 0 1 1 ?"
IDLE_SECONDS = 15
WARM_UP = 4
"""Seconds from the instance's having its items to the first fire that counts: caches, connections and workers exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """So many jobs of so many items, all due every `every` seconds; a run is `seconds` of that."""

    name: str
    jobs: int = 1
    items: int = 1
    every: int
    seconds: int

    @property
    def cron(self) -> str:
        return f"0/{self.every} * * * * ?"

    @property
    def starts(self) -> int:
        """Return how many starts one run must have."""
        return self.jobs * self.items * self.seconds // self.every


SCENARIOS = (
    Scenario(name="one job each second", every=1, seconds=12),
    Scenario(name="100 jobs each second", jobs=100, every=1, seconds=12),
    Scenario(name="1 job of 100 items", items=100, every=2, seconds=2),
    Scenario(name="1 job of 1,000 items", items=1000, every=4, seconds=4),
    Scenario(name="1,000 jobs at one second", jobs=1000, every=4, seconds=4),
)


Measured = dict[str, Any]


def measure_idle(site: Site, jobs: int, during: AbstractContextManager[None]) -> None:
    """Enter `during` for the time in which one instance has so many jobs, and none is due."""
    site.configure("bench", jobs=jobs, items=1, cron=NEVER)
    begin(site, Scenario(name="idle", jobs=jobs, every=1, seconds=IDLE_SECONDS))
    with during:
        time.sleep(IDLE_SECONDS)
    site.drain()


def measure(site: Site, scenario: Scenario, runs: int, during: AbstractContextManager[None] | None = None) -> Measured:
    """Return the runs' figures, their medians and every lateness; `during` is entered for the time that counts."""
    site.configure("bench", jobs=scenario.jobs, items=scenario.items, cron=scenario.cron)
    first = begin(site, scenario)
    with during or nullcontext():
        sleep_until(first + runs * scenario.seconds - 0.25)
    site.drain()
    parts = cut(site.take_starts(), first, scenario, runs)
    figures = [spread(part) for part in parts]
    return {
        "runs": figures,
        "median": medians(figures),
        "lateness": [[round(start.lateness, 2) for start in part] for part in parts],
    }


def begin(site: Site, scenario: Scenario) -> int:
    """Start an instance, wait until it has all items and is warm; return the first fire time that counts."""
    lines = len(site.log_lines())
    instance = site.start()
    gained = f"bench-{scenario.items}-{scenario.jobs - 1} items gained"

    def ready() -> bool:
        return instance.poll() is not None or any(gained in line for line in site.log_lines()[lines:])

    eventually(ready, 30, "the instance has its items")
    first = math.ceil((time.time() + WARM_UP) / scenario.every) * scenario.every
    sleep_until(first - 0.25)
    return first


def sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))


def cut(starts: Sequence[Start], first: int, scenario: Scenario, runs: int) -> list[list[Start]]:
    """Return the starts of each run; raise `RuntimeError` if one has not run all its executions exactly once."""
    parts: dict[int, list[Start]] = defaultdict(list)
    for start in starts:
        parts[int(start.fire_time - first) // scenario.seconds].append(start)
    for run in range(runs):
        if len(parts[run]) != scenario.starts:
            raise RuntimeError(f"{scenario.name}, run {run}: {len(parts[run])} starts instead of {scenario.starts}")
    return [parts[run] for run in range(runs)]
