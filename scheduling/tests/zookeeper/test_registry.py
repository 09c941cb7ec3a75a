"""The conformance suite of the registry over ZooKeeper, with sessions that are ended by force."""

from datetime import UTC, datetime

import pytest

from scheduling.domain.job import Job, Misfire
from scheduling.domain.trigger import CronTrigger, IntervalTrigger
from scheduling.tests.ports.registry_suite import Ensemble, RegistrySuite
from scheduling.tests.zookeeper.sessions import Sessions

pytestmark = pytest.mark.acceptance

JOBS = (
    Job(
        name="archive-job",
        handler="archive",
        trigger=CronTrigger(expression="0/2 * * * * ?", time_zone="Asia/Shanghai"),
        sharding_total_count=3,
        item_parameters={0: "本科", 1: "硕士"},
        misfire=Misfire.SKIP,
        revision=4,
    ),
    Job(name="sweep", handler="sweep", trigger=IntervalTrigger(seconds=5, anchor=datetime(2026, 3, 1, tzinfo=UTC))),
)


@pytest.fixture
def ensemble(zookeeper, url):
    sessions = Sessions(zookeeper, url)
    yield Ensemble(connect=sessions.connect, advance=sessions.advance, jobs=JOBS)
    sessions.close()


class TestZooKeeperRegistry(RegistrySuite):
    pass
