"""`context.once()`: a thousand rounds in which the instance that runs it freezes and is taken over."""

from collections import Counter

import pytest

from scheduling.domain.fire import ExecutionState, FireState
from scheduling.domain.job import Job
from scheduling.domain.retry import Retry
from scheduling.domain.trigger import ManualTrigger
from scheduling.tests.simulation import faults
from scheduling.tests.simulation.jobs import HANDLERS
from scheduling.tests.simulation.world import World, silence

FAST, ALL = 2, 10
ROUNDS = 120  # a hundred with a freeze
SESSION_TIMEOUT, IDLE_LIMIT = 5, 2
MOMENTS = {
    "in the transaction, after its first write": ("handler", "freeze before"),
    "before the transaction": ("once", "freeze before"),
    "after the transaction": ("once", "freeze after"),
    "before the result is written": ("finish", "freeze before"),
    "in the transaction, and its reply is lost": ("handler", "freeze before"),
    "never, but the reply to the commit is lost": ("once", "lost reply"),
}
FREEZES = [moment for moment in MOMENTS if not moment.startswith("never")]


class Rounds:
    """One cluster, one job, and one request for it in every round."""

    def __init__(self, seed):
        self.world = World(seed)
        self.world.freezes = (7.5, 9)
        self.world.names = ["job-0"]
        self.met = Counter()
        retry = Retry(most=5, delay=0, elsewhere=seed % 2 == 0)
        self.world.ledger.configure(Job(name="job-0", handler="work", trigger=ManualTrigger(), retry=retry))
        for _ in range(3):
            self.world.start_machine(frozenset(HANDLERS))
        self.world.play(SESSION_TIMEOUT + 2)

    def play(self, number):
        """Play one round, and check that its effect has come once, and that it was taken over in time."""
        world, moment = self.world, list(MOMENTS)[number % len(MOMENTS)]
        world.steps = 0
        method, fault = MOMENTS[moment]
        for machine in world.machines:
            machine.frozen_at = float("-inf")
            machine.ambushes[method] = (fault, self._struck(moment))
        began_at = world.seconds
        fire = world.ledger.tables.fires[world.ledger.request("job-0", key=number, asked_by="people")]
        (execution,) = fire.executions.values()
        world.acts[execution.id] = "once"
        while fire.state is FireState.OPEN or any(m.frozen or m.workers.running() for m in world.machines):
            world.play(world.seconds + 0.5)
            assert world.seconds < began_at + 60, world.history
        self._check(moment, execution)

    def _struck(self, moment):
        def strike(world, machine):
            self.met[moment] += 1
            for each in world.machines:
                each.ambushes.clear()
            if moment.endswith("and its reply is lost"):
                machine.ambushes["once"] = ("lost reply", faults.nothing)

        return strike

    def _check(self, moment, execution):
        assert execution.state is ExecutionState.SUCCEEDED, moment
        assert self.world.effects_of[execution.id] == 1, moment
        if moment in FREEZES:
            frozen_at = max(machine.frozen_at for machine in self.world.machines)
            begun = sorted(at for (id, _), (at, _) in self.world.ledger.accounts.begun.items() if id == execution.id)
            again = next(at for at in begun if at > frozen_at)
            assert again - frozen_at <= SESSION_TIMEOUT + IDLE_LIMIT + 1, moment


@pytest.mark.parametrize(
    "seed", [*range(FAST), *(pytest.param(n, marks=pytest.mark.acceptance) for n in range(FAST, ALL))]
)
def test_each_effect_comes_once_in_a_hundred_rounds_of_freezing_and_taking_over(seed):
    with silence():
        rounds = Rounds(seed)
        for number in range(1, ROUNDS + 1):
            rounds.play(number)
    assert sum(rounds.met.values()) == ROUNDS
    assert set(rounds.met) == set(MOMENTS)
    assert rounds.world.history.counts["taken over"] >= ROUNDS * len(FREEZES) // len(MOMENTS)
