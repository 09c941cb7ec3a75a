"""Workers in virtual time: handlers take a while, fail, hang, die, and write through the fence."""

from scheduling.domain.fire import ExecutionState
from scheduling.runtime.executor import run
from scheduling.tests.simulation.acts import died, is_killed_at_timeout, killed
from scheduling.tests.simulation.ledger import describe

LEASE = "no handler starts after the lease"
OVERLAP = "no machine runs an item twice at a time"
NEVER = float("inf")


class Started:
    """A handler that runs: what it does when, when it ends, and as which instance it was started."""

    def __init__(self, world, context, attempt, job, act):
        now = world.seconds
        self.world = world
        self.context = context
        self.attempt = attempt
        self.job = job
        self.began_at = now
        self.instance = context.instance
        self.steps = [[now + after, step] for after, step in act.steps]
        self.ends_at = now + act.ends_after
        self.killed_at = now + job.timeout if is_killed_at_timeout(job) else NEVER
        self.is_waiting = False
        self.result = None

    @property
    def is_dead(self):
        """Is the instance dead that started it?"""
        return self.instance in self.world.ledger.deaths

    @property
    def next_at(self):
        if self.is_waiting:
            return NEVER
        return min(self.killed_at, self.steps[0][0] if self.steps else self.ends_at)

    def delay(self, seconds):
        self.ends_at += seconds
        for step in self.steps:
            step[0] += seconds


class VirtualWorkers:
    """The workers of one machine."""

    def __init__(self, machine, count):
        self.machine = machine
        self.world = machine.world
        self.count = count
        self.started = {}
        self.results = []

    def free(self):
        return self.count - len(self.running())

    def start(self, context, attempt, handler, job):
        self._check_lease(attempt)
        self._check_overlap(attempt)
        act = self.world.act(attempt)
        self.world.history.note(self.machine.name, "started", f"{describe(attempt)} token {attempt.token} {act.kind}")
        self.world.ledger.begin(attempt, job)
        self.started[attempt.execution] = Started(self.world, context, attempt, job, act)

    def running(self):
        return {execution: started.attempt for execution, started in self.started.items()} | {
            result.attempt.execution: result.attempt for result in self.results
        }

    def collect(self):
        results, self.results = self.results, []
        return results

    def progress(self):
        return {}

    def cancel(self, executions=None):
        for execution, started in self.started.items():
            if executions is None or execution in executions:
                started.context.cancel()

    def next_at(self):
        """Return when the next handler acts or ends."""
        return min((started.next_at for started in self.started.values()), default=NEVER) if self.started else NEVER

    def go_on(self):
        """Let the handler whose time comes first act, or end."""
        execution, started = min(self.started.items(), key=lambda each: each[1].next_at)
        if started.killed_at <= self.world.seconds:
            self._end(execution, killed(started.attempt))
        elif started.steps:
            self._take_step(execution, started)
        else:
            self._end(execution, started.result or run(started.context, started.attempt, lambda context: None))

    def delay(self, seconds):
        """Let every handler take longer, as the process was frozen."""
        for started in self.started.values():
            started.delay(seconds)

    def _take_step(self, execution, started):
        _, step = started.steps.pop(0)
        if step == "dies":
            self._end(execution, died(started.attempt))
            return
        started.is_waiting = True  # it may meet a fault, so that time goes on in the middle of it
        result = run(started.context, started.attempt, lambda context: self._handle(context, step))
        self.machine.check_alive()
        started.is_waiting = False
        if result.state is not ExecutionState.SUCCEEDED:
            started.steps, started.result = [], result

    def _handle(self, context, step):
        if step == "raises":
            raise ValueError("as it should")
        if step == "check":
            context.check()
        if step == "once":
            context.once("mark", self.machine.stumble)
        if step == "atomic":
            with context.atomic():
                self.machine.stumble()

    def _end(self, execution, result):
        del self.started[execution]
        self.results.append(result)

    def _check_overlap(self, attempt):
        if any((other.job, other.item) == (attempt.job, attempt.item) for other in self.running().values()):
            raise self.world.history.broken(OVERLAP, f"{describe(attempt)} on {self.machine.name}")

    def _check_lease(self, attempt):
        # The machine's clock may be a hundredth slower than the world's.
        if self.world.seconds > self.machine.proved_at + 1.01 * 0.6 * self.machine.timeout:
            since = self.world.seconds - self.machine.proved_at
            raise self.world.history.broken(
                LEASE, f"{describe(attempt)} on {self.machine.name}, {since:.2f} s after its proof of life"
            )
