"""The conformance suite of the ledger and its fence: what every implementation of these ports does."""

from scheduling.tests.ports.claiming_suite import ClaimingSuite
from scheduling.tests.ports.configuring_suite import ConfiguringSuite
from scheduling.tests.ports.cutting_off_suite import CuttingOffSuite
from scheduling.tests.ports.fence_suite import AtomicSuite, CheckSuite, OnceSuite
from scheduling.tests.ports.finishing_suite import FinishingSuite
from scheduling.tests.ports.misfire_suite import MisfireSuite
from scheduling.tests.ports.opening_suite import OpeningSuite
from scheduling.tests.ports.pruning_suite import PruningSuite
from scheduling.tests.ports.race_suite import RaceSuite
from scheduling.tests.ports.requesting_suite import RequestingSuite
from scheduling.tests.ports.retrying_suite import RetryingSuite
from scheduling.tests.ports.settling_suite import SettlingSuite
from scheduling.tests.ports.showing_suite import ShowingSuite
from scheduling.tests.ports.taking_over_suite import AuditSuite, DyingSuite, TakingOverSuite


class LedgerSuite(
    ConfiguringSuite,
    RequestingSuite,
    OpeningSuite,
    MisfireSuite,
    ClaimingSuite,
    FinishingSuite,
    RetryingSuite,
    CuttingOffSuite,
    SettlingSuite,
    DyingSuite,
    ShowingSuite,
    TakingOverSuite,
    AuditSuite,
    PruningSuite,
    RaceSuite,
    CheckSuite,
    AtomicSuite,
    OnceSuite,
):
    """Subclasses give a fixture `stage`."""
