"""What the ledger's suites stand on: a ledger, a look behind it, and the steps that most tests begin with."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from threading import Barrier
from typing import Any, TypeVar

from scheduling.domain.fire import Attempt, ExecutionState, LiveExecution, Result
from scheduling.domain.instance import Instance
from scheduling.domain.job import Job
from scheduling.domain.misfire import Missed, Opening
from scheduling.domain.trigger import ManualTrigger
from scheduling.ports.ledger import Fence, Ledger
from scheduling.tests.ports.probe import LedgerProbe

JOB = "cleanup"
SECONDS = 30
"""How long a thread may take before its test is red."""

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")


def call(function: Callable[[], Answer]) -> Answer:
    """Run what needs nothing around it on its thread."""
    return function()


class Stage:
    """One ledger at one moment; times are given as seconds before it.

    `enter` runs a function on a thread that is not the test's own.
    """

    def __init__(
        self, *, make_ledger: Callable[[], Ledger], fence: Fence, probe: LedgerProbe, enter: Callable[..., Any] = call
    ) -> None:
        self.make_ledger = make_ledger
        self.ledger = make_ledger()
        self.fence = fence
        self.probe = probe
        self.enter = enter
        self.now = self.ledger.cursors().now.replace(microsecond=0)
        self._claims = count(1)

    def at(self, ago: float) -> datetime:
        """Return the time so many seconds before this test's now."""
        return self.now - timedelta(seconds=ago)

    def configure(self, name: str = JOB, *, rewind: float = 3 * 86_400, **fields: Any) -> Job:
        """Configure a job as if that had been `rewind` seconds ago; return it with its revision."""
        job = Job(**{"name": name, "handler": "sweep", "trigger": ManualTrigger(), **fields})
        self.ledger.configure(job)
        if rewind:
            self.probe.rewind(name, rewind)
        return self.configured(name)

    def configured(self, name: str = JOB) -> Job:
        """Return the job as the ledger has it."""
        return next(job for job in self.make_ledger().jobs() if job.name == name)

    def opening(self, job: Job, *ago: float, missed: Missed | None = None) -> Opening:
        """Return the opening of fires at these times; the cursor moves to the last of them, or of the missed ones."""
        fires = tuple(self.at(seconds) for seconds in ago)
        last = [missed.last] if missed else []
        return Opening(job=job, counted_to=max([*fires, *last]), fires=fires, missed=missed)

    def open(self, job: Job, *ago: float, missed: Missed | None = None) -> None:
        """Open fires at these times, which has to be won."""
        won = self.ledger.open([self.opening(job, *ago, missed=missed)], by="opener")
        assert won == {job.name}

    def enter_instances(self, *ids: str) -> None:
        """Let these instances enter and join."""
        for id in ids:
            self.ledger.enter(an_instance(id))
            self.ledger.join(id)

    def live(self, job: str = JOB) -> list[LiveExecution]:
        """Return the job's live executions in the order of fire time, run and item."""
        return sorted(self.ledger.look([job]).executions, key=lambda e: (e.fire_time, e.run, e.item))

    def claim(self, executions: Sequence[LiveExecution], by: str = "a") -> list[Attempt]:
        """Claim these executions for an instance that has joined; return its attempts in the same order."""
        claim = f"claim-{next(self._claims)}"
        attempts = {attempt.execution: attempt for attempt in self.ledger.claim(executions, by=by, claim=claim)}
        return [attempts[e.execution] for e in executions if e.execution in attempts]

    def run_all(self, job: Job, *ago: float, by: str = "a") -> list[Attempt]:
        """Open one fire of a job that has no live executions, and claim all its executions."""
        self.open(job, *ago)
        self.enter_instances(by)
        attempts = self.claim(self.live(job.name), by=by)
        assert len(attempts) == job.sharding_total_count
        return attempts

    def supersede(self, attempt: Attempt, by: str = "b") -> Attempt:
        """Let the attempt's instance, "a", be declared dead and another one claim its execution."""
        self.enter_instances(by)
        self.ledger.die("a", by=by)
        self.ledger.take_over()
        again = [e for e in self.live(attempt.job) if e.execution == attempt.execution]
        return self.claim(again, by=by)[0]

    def together(self, function: Callable[[Ledger, Argument], Answer], each: Sequence[Argument]) -> list[Answer]:
        """Call the function with each of these at one instant, on a thread and with a ledger of its own."""
        barrier = Barrier(len(each), timeout=SECONDS)

        def call_together(argument: Argument) -> Answer:
            ledger = self.make_ledger()
            barrier.wait()
            return function(ledger, argument)

        with ThreadPoolExecutor(len(each)) as pool:
            answers = [pool.submit(self.enter, partial(call_together, argument)) for argument in each]
            return [answer.result(SECONDS) for answer in answers]


def an_instance(id: str, **fields: Any) -> Instance:
    """Return an instance of which only the id matters."""
    started_at = datetime(2026, 1, 1, tzinfo=UTC)
    defaults = {"host": "host-1", "pid": 4711, "started_at": started_at, "handlers": frozenset({"sweep"})}
    return Instance(**{"id": id, "tzdata": "2026a", **defaults, **fields})


def succeeded(attempt: Attempt, message: str = "") -> Result:
    """Return the result of an attempt that went well."""
    return Result(attempt=attempt, state=ExecutionState.SUCCEEDED, message=message)
