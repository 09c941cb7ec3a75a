"""One of several processes that open, claim and finish everything at one instant; prints what it did as JSON.

python -m tests.acceptance.contender NAME ROUNDS JOBS
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import django

django.setup()

from scheduling.database.ledger import DatabaseLedger  # noqa: E402  needs the settings
from scheduling.domain.fire import Attempt, ExecutionState, Result, claimable  # noqa: E402
from scheduling.domain.instance import Instance  # noqa: E402
from scheduling.domain.misfire import Opening  # noqa: E402

CHUNK = 167
EVERYTHING = frozenset(range(100))


class Contender:
    """One process, and what it measures."""

    def __init__(self, name: str, jobs: int) -> None:
        self.name = name
        self.ledger = DatabaseLedger()
        self.jobs = [job for job in self.ledger.jobs() if job.name.startswith("contend-")][:jobs]
        self.names = [job.name for job in self.jobs]
        self.won = 0
        self.claims: list[tuple[int, int]] = []
        self.times: dict[str, list[float]] = {"open": [], "claim": [], "finish": [], "settle": []}

    def enter(self) -> None:
        started_at = datetime.now(UTC)
        self.ledger.enter(
            Instance(id=self.name, host="h", pid=1, started_at=started_at, handlers=frozenset(), tzdata="")
        )
        self.ledger.join(self.name)

    def round(self, fire_time: datetime) -> None:
        """Open every job at one fire time and work until nothing of it is left."""
        openings = [Opening(job=job, counted_to=fire_time, fires=(fire_time,)) for job in self.jobs]
        self.won += len(self.timed("open", lambda: self.ledger.open(openings, by=self.name)))
        while self.claim_some():
            pass
        self.timed("settle", self.ledger.settle)

    def claim_some(self) -> bool:
        look = self.ledger.look(self.names)
        ready = claimable(look, lambda execution: True, frozenset())
        chunk = ready[:CHUNK]
        if chunk:
            claim = f"{self.name}-{time.monotonic_ns()}"
            attempts = self.timed("claim", lambda: self.ledger.claim(chunk, by=self.name, claim=claim))
            self.claims += [(attempt.execution, attempt.token) for attempt in attempts]
            self.finish(attempts)
        return bool(look.executions)

    def finish(self, attempts: tuple[Attempt, ...]) -> None:
        if attempts:
            results = [Result(attempt=attempt, state=ExecutionState.SUCCEEDED) for attempt in attempts]
            self.timed("finish", lambda: self.ledger.finish(results))
            self.timed("settle", lambda: self.ledger.settle({attempt.fire for attempt in attempts}))

    def timed(self, what: str, act: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        answer = act()
        self.times[what].append(time.perf_counter() - began)
        return answer


def main(name: str, rounds: int, jobs: int) -> None:
    contender = Contender(name, jobs)
    contender.enter()
    print("ready", flush=True)
    first = datetime.fromisoformat(sys.stdin.readline().strip())
    for number in range(rounds):
        fire_time = first + timedelta(seconds=3 * number)
        time.sleep(max(0.0, (fire_time - datetime.now(UTC)).total_seconds() + 0.01))
        contender.round(fire_time)
    print(json.dumps({"won": contender.won, "claims": contender.claims, "times": contender.times}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
