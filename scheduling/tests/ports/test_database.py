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

    # The database's clock is one that people set

    def test_a_clock_that_was_set_back_ends_the_sessions_that_beat_no_more(self, ensemble: Ensemble) -> None:
        ensemble.lead("a")
        b = ensemble.join("b")
        ensemble.advance(-3_600)
        assert set(b.cluster().instances) == {"a", "b"}
        assert b.cluster().leader == "a"
        ensemble.advance(0.8 * b.session_timeout)
        b.beat()
        ensemble.advance(0.3 * b.session_timeout)
        assert set(b.cluster().instances) == {"b"}
        b.campaign()
        assert b.cluster().leader == "b"

    def test_a_clock_that_was_set_back_ends_no_session_that_beats(self, ensemble: Ensemble) -> None:
        a, b = ensemble.join("a"), ensemble.join("b")
        ensemble.advance(-3_600)
        for _ in range(3):
            assert set(b.cluster().instances) == {"a", "b"}
            ensemble.advance(0.8 * b.session_timeout)
            a.beat()
            b.beat()
