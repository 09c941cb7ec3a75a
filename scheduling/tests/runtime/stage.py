"""A cluster in one process: real nodes on the doubles, a clock that only the test moves, workers that wait for it."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from scheduling.domain.instance import Instance
from scheduling.domain.job import Job
from scheduling.domain.trigger import IntervalTrigger
from scheduling.ports.memory_fence import MemoryFence
from scheduling.ports.memory_ledger import MemoryLedger
from scheduling.ports.memory_registry import MemoryEnsemble, MemoryRegistry
from scheduling.runtime.executor import run
from scheduling.runtime.handlers import HANDLERS
from scheduling.runtime.handlers import job as declare
from scheduling.runtime.membership import Membership
from scheduling.runtime.node import Node
from scheduling.runtime.session import Session
from scheduling.tests.ports.memory_stage import MemoryProbe

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class HeldWorkers:
    """Workers whose attempts end when the test says so."""

    def __init__(self, count, now):
        self.count = count
        self.now = now
        self.lateness = []
        self.attempts = {}
        self.results = []

    def free(self):
        return self.count - len(self.running())

    def start(self, context, attempt, handler, job):
        self.lateness.append((self.now() - attempt.fire_time).total_seconds())
        self.attempts[attempt.execution] = (context, attempt, handler.function)

    def running(self):
        return {e: attempt for e, (_, attempt, _) in self.attempts.items()} | {
            result.attempt.execution: result.attempt for result in self.results
        }

    def collect(self):
        results, self.results = self.results, []
        return results

    def progress(self):
        return {}

    def cancel(self, executions=None):
        for execution, (context, _, _) in self.attempts.items():
            if executions is None or execution in executions:
                context.cancel()

    def end_all(self):
        for execution in list(self.attempts):
            self.results.append(run(*self.attempts.pop(execution)))


class Stage:
    """The doubles, and the nodes that play on them."""

    def __init__(self):
        self.seconds = 0.0
        self.ledger = MemoryLedger(self.now)
        self.probe = MemoryProbe(self.ledger)
        self.ensemble = MemoryEnsemble(self.clock)
        self.actors = {}
        self.ran = []
        self.ran_on = []
        self.fails = lambda context: False

    def clock(self):
        return self.seconds

    def now(self):
        return START + timedelta(seconds=self.seconds)

    def configure(self, **fields):
        defaults = {"name": "job", "handler": "job", "trigger": IntervalTrigger(seconds=2, anchor=START)}
        self.ledger.configure(Job(**(defaults | fields)))

    def run(self, context):
        """Be the handler."""
        self.ran.append((context.item, context.token))
        self.ran_on.append((round(self.seconds, 1), context.instance))
        if self.fails(context):
            raise ValueError("it fails, as it should")

    def node(self, id, workers=8, ledger=None, tzdata="2026a"):
        """Start an instance; it ticks, and beats, whenever time passes."""
        self.actors[id] = Actor(self, id, HeldWorkers(workers, self.now), ledger or self.ledger, tzdata)
        return self.actors[id]

    def play(self, seconds, step=0.05, end=True):
        """Let time pass, with every instance that is not frozen doing its part."""
        for _ in range(round(seconds / step)):
            self.seconds = round(self.seconds + step, 6)
            for actor in list(self.actors.values()):
                if not actor.frozen:
                    actor.play(end)


class Actor:
    """One instance on the stage."""

    def __init__(self, stage, id, workers, ledger, tzdata):
        self.frozen = False
        self.clock_offset = 0.0
        self.stage = stage
        self.due_at = 0.0
        self.workers = workers
        registry = MemoryRegistry(stage.ensemble)
        self.session = Session(registry, stage.clock)
        self.ids = iter(f"{id}-{n}" for n in range(2, 99))
        instance = Instance(
            id=id, host="h", pid=1, started_at=START, handlers=frozenset({"job", "other"}), tzdata=tzdata
        )
        self.membership = Membership(
            instance, ledger=ledger, registry=registry, session=self.session, clock=stage.clock
        )
        self.node = Node(
            membership=self.membership,
            ledger=ledger,
            fence=MemoryFence(stage.ledger),
            workers=workers,
            handlers={"job": handler(stage.run)},
            clock=stage.clock,
            wall_clock=lambda: stage.now().timestamp() + self.clock_offset,
            new_id=lambda: next(self.ids),
        )

    @property
    def id(self):
        return self.membership.instance.id

    def play(self, end):
        try:
            self.session.beat()
        except Exception as error:
            self.last_beat = error
        if self.stage.seconds >= self.due_at or self.workers.results:
            self.due_at = self.stage.seconds + self.node.tick()
        if end:
            self.workers.end_all()


def handler(function):
    def declared():
        """Not the table's own: tests of declarations look there."""

    declare("job")(declared)
    return replace(HANDLERS.pop("job"), function=function)


def states(stage, job="job"):
    """Count the job's fires by their states."""
    return Counter(fire.state for fire in stage.probe.fires(job))


def owned(stage, job="job"):
    """Count the job's items by their owners."""
    return Counter(stage.ensemble.assignments.get(job, {}).values())
