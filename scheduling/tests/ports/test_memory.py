"""Both doubles do what their ports promise."""

import pytest

from scheduling.domain.job import Job
from scheduling.domain.trigger import ManualTrigger
from scheduling.ports.memory_registry import MemoryEnsemble, MemoryRegistry
from scheduling.tests.ports.fence_suite import SupersededInTheMiddleSuite
from scheduling.tests.ports.ledger_suite import LedgerSuite
from scheduling.tests.ports.memory_stage import memory_stage
from scheduling.tests.ports.registry_suite import Ensemble, RegistrySuite
from scheduling.tests.ports.stage import Stage


class TestMemoryLedger(LedgerSuite, SupersededInTheMiddleSuite):
    @pytest.fixture
    def stage(self) -> Stage:
        return memory_stage()


class TestMemoryRegistry(RegistrySuite):
    @pytest.fixture
    def ensemble(self) -> Ensemble:
        seconds = [0.0]
        store = MemoryEnsemble(clock=lambda: seconds[0])

        def advance(by: float) -> None:
            seconds[0] += by

        first, second = (Job(name=name, handler="sweep", trigger=ManualTrigger()) for name in ("one", "two"))
        return Ensemble(connect=lambda: MemoryRegistry(store), advance=advance, jobs=(first, second))
