"""Workers in virtual time: each handler takes a while, some raise, some write through the fence."""

from scheduling.runtime.executor import run
from scheduling.tests.simulation.ledger import describe

LEASE = "no handler starts after the lease"
OVERLAP = "no machine runs an item twice at a time"
NEVER = float("inf")


class Started:
    """A handler that runs: when it acts, and when it ends."""

    def __init__(self, context, attempt, act, acts_at, ends_at):
        self.context = context
        self.attempt = attempt
        self.act = act
        self.next_at = acts_at
        self.ends_at = ends_at
        self.result = None


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
        now, (act, acts_after, ends_after) = self.world.seconds, self.world.handler(attempt)
        self.world.history.note(self.machine.name, "started", f"{describe(attempt)} token {attempt.token} {act}")
        self.world.begun.add((attempt.execution, attempt.token))
        self.started[attempt.execution] = Started(context, attempt, act, now + acts_after, now + ends_after)

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
        return min((started.next_at for started in self.started.values()), default=NEVER)

    def go_on(self):
        """Let the handler whose time comes first act, or end."""
        execution, started = min(self.started.items(), key=lambda each: each[1].next_at)
        if started.result is None:
            started.next_at = NEVER  # it may meet a fault, so that time goes on in the middle of it
            started.result = run(started.context, started.attempt, lambda context: self._handle(context, started.act))
            self.machine.check_alive()
            started.next_at = max(started.ends_at, self.world.seconds)
        else:
            del self.started[execution]
            self.results.append(started.result)

    def delay(self, seconds):
        """Let every handler take longer, as the process was frozen."""
        for started in self.started.values():
            started.next_at += seconds
            started.ends_at += seconds

    def _handle(self, context, act):
        if act == "raises":
            raise ValueError("as it should")
        if act == "once":
            context.once("mark", self.machine.stumble)
        if act == "atomic":
            with context.atomic():
                self.machine.stumble()

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
