"""One history: machines, people and faults on one virtual clock, until everything is mended and quiet again."""

import logging
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from heapq import heappop, heappush
from random import Random

from scheduling.domain.fire import FireState
from scheduling.tests.runtime.stage import START
from scheduling.tests.simulation import faults
from scheduling.tests.simulation.acts import KINDS, a_quiet_act, an_act
from scheduling.tests.simulation.fence import WatchedFence
from scheduling.tests.simulation.history import History
from scheduling.tests.simulation.jobs import HANDLERS, a_job, written
from scheduling.tests.simulation.ledger import WatchedLedger
from scheduling.tests.simulation.machine import NEVER, Machine
from scheduling.tests.simulation.promises import check
from scheduling.tests.simulation.registry import WatchedEnsemble

FAULTS_UNTIL = 18
QUIET_AT_MOST = 90
STEPS = 80_000
MACHINES_AT_MOST = 5


class World:
    """Everything of one seed."""

    def __init__(self, seed):
        self.random = Random(seed)
        self.seconds = 0.0
        self.clock_is_off = self.leap = timedelta()
        self.jumped_at = -NEVER
        self.edited_at = {}
        self.history = History(seed, lambda: self.seconds)
        self.ledger = WatchedLedger(self)
        self.fence = WatchedFence(self)
        self.ensemble = WatchedEnsemble(self)
        self.faults = faults
        self.freezes = (0.5, 2, 5.7, 6.2, 7)
        self.acts = {}
        self.requests = set()
        self.effects_of = Counter()
        self.machines = []
        self.is_mended = False
        self._plan = []
        self.steps = 0
        self.names = [f"job-{number}" for number in range(self.random.randint(1, 3))]

    def now(self):
        """Return the ledger's clock, which is also that of the machines unless theirs is wrong."""
        return self.believed() + self.leap

    def believed(self):
        """Return the clock without the leap by which nothing may be started."""
        return START + timedelta(seconds=self.seconds) + self.clock_is_off

    def later(self, seconds, act):
        """Let something happen."""
        self.steps += 1
        heappush(self._plan, (self.seconds + seconds, self.steps, act))

    def start_machine(self, handlers=None):
        """Start one more machine, unless there are many, or one that knows these handlers."""
        living = sum(not machine.gone for machine in self.machines)
        if living < MACHINES_AT_MOST or handlers:
            name = f"m{len(self.machines)}"
            self.history.note(name, "started up")
            handlers = handlers or self.random.choice(
                (*[frozenset(HANDLERS)] * 4, *[frozenset({known}) for known in HANDLERS])
            )
            self.machines.append(Machine(self, name, self.random.uniform(-0.01, 0.01), handlers))

    def act(self, attempt):
        """Return what an attempt does; all of one execution are of one kind."""
        kind = self.acts.setdefault(attempt.execution, self.random.choice(KINDS))
        return a_quiet_act(kind) if self.is_mended else an_act(self.random, kind, attempt)

    def runs(self, instance, execution):
        """Does the machine that is this instance run the execution?"""
        return any(machine.id == instance and execution in machine.workers.running() for machine in self.machines)

    def run(self):
        """Play the history, and hold it against the promises."""
        for name in self.names:
            job = a_job(self.random, name)
            self.history.note("people", "configured", f"{name}: {written(job)}")
            self.ledger.configure(job)
        for _ in range(self.random.randint(1, 3)):
            self.start_machine()
        for _ in range(self.random.randint(8, 24)):
            kind = self.random.choice(faults.KINDS)
            self.later(self.random.uniform(1, FAULTS_UNTIL), lambda kind=kind: self._strike(kind))
        self.play(FAULTS_UNTIL)
        self._mend()
        check(self)
        return self.history

    def _strike(self, kind):
        living = [machine for machine in self.machines if not machine.gone]
        if living and not self.is_mended:
            kind(self, self.random.choice(living))
            self.history.counts[f"fault: {kind.__name__}"] += 1

    def _mend(self):
        self.is_mended = True
        self.history.note("*", "mended")
        for machine in self.machines:
            machine.calm = 1.0
            machine.ambushes.clear()
            machine.cut.clear()
            machine.frozen = False
            machine.set_clock(0)
        faults.land(self)
        self.ensemble.regain_quorum()
        self.start_machine(frozenset(HANDLERS))
        mended_at = self.seconds
        self.play(mended_at + 16)
        while self.seconds < mended_at + QUIET_AT_MOST and self._is_busy():
            self.play(self.seconds + 2)

    def _is_busy(self):
        old = self.now() - timedelta(seconds=5)
        return any(fire.state is FireState.OPEN and fire.fire_time < old for fire in self.ledger.tables.fires.values())

    def play(self, until):
        """Let time pass; also from within a call of a machine, for all but that one."""
        while True:
            planned = self._plan[0][0] if self._plan else NEVER
            machine = min(self.machines, key=lambda m: m.next_at(), default=None)
            at = min(planned, machine.next_at() if machine else NEVER)
            if at > until:
                self.seconds = max(self.seconds, until)
                return
            self.seconds = max(self.seconds, at)
            if planned <= at:
                heappop(self._plan)[2]()
            else:
                machine.act()
            self._check_step()

    def _check_step(self):
        self.steps += 1
        if self.history.violation:
            raise self.history.violation
        if self.steps > STEPS:
            raise self.history.broken("time goes on", "the machines never rest")


def play(seed):
    """Play one history; raise `Broken` if it breaks a promise."""
    with silence():
        return World(seed).run()


@contextmanager
def silence():
    """Keep what instances log to themselves: the history has it, and it would take longer than all else."""
    logger = logging.getLogger("scheduling")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
