"""The conformance suite of the registry over ZooKeeper, with sessions that are ended by force."""

from datetime import UTC, datetime

import pytest

from scheduling.domain.errors import RegistryUnavailable
from scheduling.domain.job import Job, Misfire
from scheduling.domain.trigger import CronTrigger, IntervalTrigger
from scheduling.tests.ports.registry_suite import Ensemble, RegistrySuite
from scheduling.tests.ports.stage import an_instance
from scheduling.tests.zookeeper.sessions import Sessions, eventually

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


def test_one_whose_client_has_begun_a_new_session_is_not_shown_to_itself_until_it_registers(ensemble):
    a, b = ensemble.join("a"), ensemble.join("b")
    # As when its client had to be made anew: the old session has not ended yet.
    client, a._client._client = a._client._client, None
    assert set(b.cluster().instances) == {"a", "b"}
    assert set(a.cluster().instances) == {"b"}
    a.register(an_instance("a"))
    a.beat()
    assert set(a.cluster().instances) == {"a", "b"}
    client.stop()
    client.close()
    a.beat()


def test_a_key_outlives_the_connection_and_a_session_cannot_be_ended_while_nobody_answers(ensemble, zookeeper):
    a = ensemble.join("a")
    key = a.session_key()
    zookeeper.kill()
    try:
        eventually(lambda: not a._client._client.connected, "the connection is lost")
        assert a.session_key() == key
        with pytest.raises(RegistryUnavailable):
            ensemble.connect().end_session(key)
    finally:
        zookeeper.start()
    eventually(lambda: a._client._client.connected, "the connection is back")
    b = ensemble.connect()
    b.end_session(key)
    assert b.cluster().instances == {}
