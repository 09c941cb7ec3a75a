"""Workers in virtual time: each handler takes a while, some raise, some write through the fence."""

from scheduling.runtime.executor import run
from scheduling.tests.simulation.ledger import describe

LEASE = "no handler starts after the lease"
EFFECT = "what is written through the fence is written under the item's last token"
TWICE = "what context.once writes is written once"


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

    def start(self, context, attempt, function):
        self._check_lease(attempt)
        took, act = self.world.handler()
        self.world.history.note(self.machine.name, "started", f"{describe(attempt)} token {attempt.token} {act}")
        self.started[attempt.execution] = (self.world.seconds + took, act, context, attempt)

    def running(self):
        return {execution: attempt for execution, (_, _, _, attempt) in self.started.items()} | {
            result.attempt.execution: result.attempt for result in self.results
        }

    def collect(self):
        results, self.results = self.results, []
        return results

    def progress(self):
        return {}

    def cancel(self):
        for _, _, context, _ in self.started.values():
            context.cancel()

    def next_end(self):
        """Return when the next handler ends."""
        return min((at for at, _, _, _ in self.started.values()), default=float("inf"))

    def end_due(self):
        """End the handlers whose time has come."""
        for execution, (at, act, context, attempt) in list(self.started.items()):
            if at <= self.world.seconds:
                del self.started[execution]
                self.results.append(
                    run(context, attempt, lambda context, a=attempt, act=act: self._handle(context, a, act))
                )

    def _handle(self, context, attempt, act):
        if act == "raises":
            raise ValueError("as it should")
        if act == "once":
            written = []
            context.once("mark", lambda: written.append(attempt))
            for each in written:
                self._check_effect(each)
                self._check_once(each)
        if act == "atomic":
            with context.atomic():
                pass
            self._check_effect(attempt)

    def _check_effect(self, attempt):
        token = self.world.ledger.tokens[attempt.job, attempt.item]
        if token != attempt.token:
            raise self.world.history.broken(
                EFFECT, f"{describe(attempt)} wrote under {attempt.token} after {token} had begun"
            )

    def _check_once(self, attempt):
        if attempt.execution in self.world.effects:
            raise self.world.history.broken(TWICE, f"{describe(attempt)} token {attempt.token}")
        self.world.effects.add(attempt.execution)

    def _check_lease(self, attempt):
        # The machine's clock may be a hundredth slower than the world's.
        if self.world.seconds > self.machine.proved_at + 1.01 * 0.6 * self.machine.timeout:
            since = self.world.seconds - self.machine.proved_at
            raise self.world.history.broken(
                LEASE, f"{describe(attempt)} on {self.machine.name}, {since:.2f} s after its proof of life"
            )
