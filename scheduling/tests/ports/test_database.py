"""The ledger, the fence and the registry on Django's ORM do what their ports promise, on whatever database is set."""

import pytest

from scheduling.database.ledger import DatabaseLedger
from scheduling.database.registry import DatabaseRegistry
from scheduling.domain.job import Job
from scheduling.domain.trigger import ManualTrigger
from scheduling.tests.ports.database_stage import database_stage, pass_time
from scheduling.tests.ports.fence_suite import SupersededInTheMiddleSuite
from scheduling.tests.ports.ledger_suite import LedgerSuite
from scheduling.tests.ports.registry_suite import Ensemble, RegistrySuite
from scheduling.tests.ports.stage import Stage

pytestmark = [pytest.mark.usefixtures("transactional_db"), pytest.mark.mariadb]


class TestDatabaseLedger(LedgerSuite):
    @pytest.fixture
    def stage(self) -> Stage:
        return database_stage()


class TestDatabaseFenceInTheMiddle(SupersededInTheMiddleSuite):
    @pytest.fixture
    def stage(self, several_writers: None) -> Stage:
        return database_stage()


class TestDatabaseRegistry(RegistrySuite):
    @pytest.fixture
    def ensemble(self) -> Ensemble:
        ledger = DatabaseLedger()
        for name in ("one", "two"):
            ledger.configure(Job(name=name, handler="sweep", trigger=ManualTrigger()))
        first, second = (job for job in ledger.jobs() if job.name in ("one", "two"))
        return Ensemble(connect=DatabaseRegistry, advance=pass_time, jobs=(first, second))
