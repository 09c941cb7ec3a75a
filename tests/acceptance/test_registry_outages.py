"""Real schedulers while ZooKeeper has no quorum, after it was restored from an old copy, and while Redis is away."""

import time

import pytest

from deploy.servers.mariadb import MariaDB
from deploy.servers.ports import free_port
from deploy.servers.zookeeper import Ensemble, ZooKeeper
from tests.acceptance.outage import Schedulers
from tests.acceptance.promises import living, shares
from tests.acceptance.site import eventually
from tests.acceptance.site import site as lend_site

pytestmark = [pytest.mark.acceptance, pytest.mark.outage, pytest.mark.timeout(200)]

SESSION_TIMEOUT = 4
LIMIT = 3 * SESSION_TIMEOUT + 1


def soon(url):
    """Have instances missed soon, so that a wrong death shows soon."""
    return f"{url}?session_timeout={SESSION_TIMEOUT}"


@pytest.fixture(scope="module")
def database():
    with MariaDB() as lent:
        yield lent


@pytest.fixture(scope="module")
def ensemble():
    with Ensemble() as lent:
        yield lent


@pytest.fixture(scope="module")
def three(ensemble, database, tmp_path_factory):
    """Two schedulers on three ZooKeepers."""
    with lend_site(tmp_path_factory.mktemp("site"), database.url, soon(ensemble.url())) as site:
        yield Schedulers(site)


@pytest.fixture
def one(tmp_path, database):
    """A ZooKeeper, and a site on it."""
    with ZooKeeper() as zookeeper, lend_site(tmp_path, database.url, soon(zookeeper.url())) as site:
        yield zookeeper, site


def test_the_leader_of_three_zookeepers_is_not_missed(ensemble, three):
    leader = ensemble.leader()
    leader.kill()
    three.check_goes_on()
    leader.start()
    ensemble.await_ready()
    three.check_order()


def test_one_of_three_zookeepers_that_answers_nothing_is_left_for_another(ensemble, three):
    for member in ensemble.members:  # whichever of them each instance is connected to
        member.freeze()
        try:
            three.check_goes_on()
            time.sleep(SESSION_TIMEOUT + 2)  # long enough for a session to end
        finally:
            member.thaw()
        ensemble.await_ready()
    three.check_order()


def test_without_a_quorum_nothing_starts_and_nobody_is_taken_for_dead_afterwards(ensemble, three):
    away = ensemble.members[:2]
    for member in away:
        member.kill()
    time.sleep(0.6 * SESSION_TIMEOUT + 1)  # the lease ends, and what began by then takes a moment
    ran = len(three.site.notes())
    time.sleep(3)
    assert len(three.site.notes()) == ran
    for member in away:
        member.start()
    three.check_goes_on()
    time.sleep(SESSION_TIMEOUT + 2)  # long enough for a wrong death to be declared
    three.check_order()


def test_a_zookeeper_restored_from_an_old_copy_kills_nobody_and_brings_nobody_back(one):
    zookeeper, site = one
    schedulers = Schedulers(site)
    zookeeper.kill()
    zookeeper.keep()
    zookeeper.start()
    schedulers.replace_one()
    zookeeper.kill()
    zookeeper.restore()
    zookeeper.start()
    schedulers.check_goes_on()
    time.sleep(SESSION_TIMEOUT + 2)  # the session of the one that has gone ends again
    eventually(lambda: shares(site, 2), LIMIT, "the two that run own all")
    schedulers.check_order()


def test_all_instances_that_are_killed_at_once_are_followed_by_others_that_run_what_was_left_once(one):
    _zookeeper, site = one
    schedulers = Schedulers(site)
    site.request("probe-while", 7)
    eventually(lambda: "running" in states(site, "probe-while"), 20, "its items run")
    schedulers.kill_all()
    schedulers.check_goes_on()
    eventually(lambda: states(site, "probe-while") == {"succeeded"}, LIMIT, "what was left has run again")
    schedulers.check_order()


def states(site, job):
    return {row[1] for row in site.executions(job)}


def test_a_redis_that_is_away_is_not_missed(one):
    _zookeeper, site = one
    site.env["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
    site.scheduler()
    eventually(lambda: len(site.notes()) > 200, 40, "items run")
    assert len(living(site)) == 1
    assert "redis" not in site.log_text().lower()
