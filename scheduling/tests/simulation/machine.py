"""One process of the simulated cluster: a real node whose every call to a port may meet a fault."""

from datetime import timedelta

from scheduling.domain.errors import LedgerUnavailable, RegistryUnavailable
from scheduling.domain.instance import Instance
from scheduling.runtime.membership import Membership
from scheduling.runtime.node import Node
from scheduling.runtime.session import BEATS_PER_SESSION, Session
from scheduling.tests.runtime.stage import START, handler
from scheduling.tests.simulation.ledger import SUPERVISOR
from scheduling.tests.simulation.registry import WatchedRegistry
from scheduling.tests.simulation.workers import VirtualWorkers

NEVER = float("inf")
PROOFS = ("register", "beat")
DRAIN_SECONDS = 12
TICK_SECONDS = 0.002
"""What a tick takes at least."""

REST = "an instance with nothing to do sleeps"
RESTLESS_TICKS = 50

HOLDS = "an instance whose own clock is wrong starts nothing once it has read the ledger's"
STARTS = ("open", "claim")


class Crash(BaseException):
    """The process has ended, wherever it was."""


class Wire:
    """A port as one machine reaches it."""

    def __init__(self, machine, name, port, error):
        self._machine = machine
        self._name = name
        self._port = port
        self._error = error

    def __getattr__(self, method):
        attribute = getattr(self._port, method)
        if not callable(attribute):
            return attribute

        def call(*args, **named):
            return self._machine.call(self._name, method, lambda: attribute(*args, **named), self._error)

        setattr(self, method, call)
        return call


class Machine:
    """One process.

    `calm` is the chance that a call meets no fault, `ambushes` is method → the fault that waits for its next call,
    `cut` is port → what is lost on the way to it or back, `proved_at` when the last answered proof of life was sent,
    `wrong_by` how many seconds its wall clock is ahead of the ledger's.
    """

    def __init__(self, world, name, drift, handlers):
        self.world = world
        self.name = name
        self.handlers = handlers
        self.drift = drift
        self.calm = 1.0
        self.ambushes = {}
        self.cut = {}
        self.gone = self.frozen = self.ticking = self.draining = False
        self.proved_at = self.frozen_at = -NEVER
        self.restless = 0
        self.wrong_by = 0
        self.wrong_since = NEVER
        self.knows_it_is_wrong = False
        self.tick_at = self.beat_at = world.seconds
        self._ids = iter(f"{name}-{number}" for number in range(2, 999))
        self._assemble(f"{name}-1")

    def _assemble(self, id):
        world = self.world
        registry = Wire(self, "registry", WatchedRegistry(world), RegistryUnavailable)
        ledger = Wire(self, "ledger", world.ledger, LedgerUnavailable)
        self.timeout = registry.session_timeout
        self.workers = VirtualWorkers(self, world.random.choice((1, 2, 8)))
        self.session = Session(registry, self.clock)
        zones = world.random.choice(("2025b", "2026a", "2026a", "2026a"))
        instance = Instance(
            id=self._begins(id), host=self.name, pid=1, started_at=START, handlers=self.handlers, tzdata=zones
        )
        self.membership = Membership(instance, ledger=ledger, registry=registry, session=self.session, clock=self.clock)
        self.node = Node(
            membership=self.membership,
            ledger=ledger,
            fence=Wire(self, "ledger", world.fence, LedgerUnavailable),
            workers=self.workers,
            handlers={name: handler(lambda context: None) for name in self.handlers},
            clock=self.clock,
            wall_clock=lambda: world.now().timestamp() + self.wrong_by,
            new_id=lambda: self._begins(next(self._ids)),
        )

    def _begins(self, id):
        # Whoever begins while the clock is wrong knows no other.
        self.world.faults.land(self.world)
        return id

    @property
    def id(self):
        return self.membership.instance.id

    def clock(self):
        """Return this machine's monotonic clock."""
        return self.world.seconds * (1 + self.drift)

    def set_clock(self, wrong_by):
        """Let its wall clock be ahead by so many seconds, or right again."""
        self.wrong_by, self.wrong_since = wrong_by, self.world.seconds if wrong_by else NEVER
        self.knows_it_is_wrong = False

    def knows_clock(self):
        """Has the node read the ledger's clock as it is now, jumps included?"""
        leap = self.node._guard._leap
        if leap._now is None:
            return False
        expected = leap._now + timedelta(seconds=self.clock() - leap._asked_at)
        return abs(self.world.believed() - expected) < timedelta(seconds=2)

    def next_at(self):
        """Return when this machine has something to do."""
        if self.gone or self.frozen:
            return NEVER
        tick_at = NEVER if self.ticking else self.tick_at
        return min(tick_at, self.beat_at, self.workers.next_at())

    def act(self):
        """Do what is due; a crash ends the machine."""
        try:
            if self.workers.next_at() <= self.world.seconds:
                self.workers.go_on()
                self.tick_at = self.world.seconds if self.workers.results else self.tick_at
            elif self.beat_at <= self.world.seconds:
                self._beat()
            else:
                self._tick()
        except Crash:
            pass  # the one who ended it has noted how

    def die(self, how):
        """End the process, with all that it runs."""
        if not self.gone:
            self.world.history.note(self.name, how)
        self.gone = True

    def report(self):
        """Let the supervisor say that the process has ended, close its session, and start another."""
        self.world.ledger.die(self.id, by=SUPERVISOR)
        self.world.ensemble.end(self.id)
        self.world.start_machine()

    def drain(self):
        """Ask it to end in order, within a while."""
        self.draining = True
        self.tick_at = self.world.seconds
        self.world.later(DRAIN_SECONDS, lambda: self.die("left behind what ran"))

    def runs_on(self, key):
        """Does a handler of this item run here, started by an instance that is not dead?"""
        if self.gone:
            return False
        attempts = (started.attempt for started in self.workers.started.values() if not started.is_dead)
        return any((attempt.job, attempt.item) == key for attempt in attempts)

    def _beat(self):
        self.beat_at = self.world.seconds + self.timeout / BEATS_PER_SESSION
        try:
            self.session.beat()
        except Exception as error:
            self.world.history.note(self.name, "no beat", type(error).__name__)

    def _tick(self):
        self.ticking = True
        try:
            if self.draining and not self.membership.instance.draining:
                self.node.drain()
            seconds = self.node.tick() / (1 + self.drift)
            self._check_rest(seconds)
            self.tick_at = self.world.seconds + max(seconds, TICK_SECONDS)
            if self.draining and self.node.is_drained():
                self.node.leave()
                self.die("drained")
        finally:
            self.ticking = False

    def _check_rest(self, seconds):
        self.restless = self.restless + 1 if seconds < TICK_SECONDS else 0
        if self.restless > RESTLESS_TICKS:
            raise self.world.history.broken(REST, f"{self.name} has ticked {self.restless} times without a pause")

    # Calls

    def call(self, port, method, act, error):
        """Let a call to a port meet its fault, or none."""
        fault = self._fault(method) if self.calm < 1.0 or self.ambushes else None
        sent_at = self.world.seconds
        if method in STARTS and self.knows_it_is_wrong:
            raise self.world.history.broken(HOLDS, f"{self.name}: {method}")
        if fault or self.cut:
            self._meet(fault, "before")
            self._lose("request", port, method, fault, error)
        if port == "registry" and not self.world.ensemble.has_quorum:
            raise error("there is no quorum")
        answer = act()
        if fault or self.cut or self.gone:
            self._meet(fault, "after")
            self._lose("reply", port, method, fault, error)
        if method in PROOFS:
            self.proved_at = max(self.proved_at, sent_at)
        if method == "cursors":
            self.knows_it_is_wrong = self.wrong_since <= sent_at
        return answer

    def stumble(self):
        """Meet a fault, or none, in the middle of a handler."""
        fault = self._fault("handler")
        self._meet(fault, "before")
        self._meet(fault, "after")

    def check_alive(self):
        """Go no further if the process has ended."""
        if self.gone:
            raise Crash

    def _lose(self, what, port, method, fault, error):
        if self.cut.get(port) == what or fault == f"lost {what}":
            self.world.history.note(self.name, f"lost {what}", method)
            raise error(f"the {what} is lost")

    def _fault(self, method):
        random = self.world.random
        if method in self.ambushes:
            fault, also = self.ambushes.pop(method)
            also(self.world, self)
            return fault
        return random.choice(self.world.faults.CALLS) if random.random() > self.calm else None

    def _meet(self, fault, when):
        if fault == f"crash {when}":
            self.die("crashed")
        if fault == f"freeze {when}":
            self._freeze_here(self.world.random.choice(self.world.freezes))
        if fault == f"slow {when}":
            self.world.history.note(self.name, "slow call")
            self.world.play(self.world.seconds + self.world.random.choice((0.3, 1.5, 3)))
        self.check_alive()

    def _freeze_here(self, seconds):
        was_frozen, began = self.frozen, self.world.seconds
        self.frozen_at = began
        self.frozen = True
        self.world.history.note(self.name, "frozen in a call", f"for {seconds} s")
        self.world.play(began + seconds)
        self.frozen = was_frozen
        self.workers.delay(self.world.seconds - began)
