"""Real schedulers and what they did not expect: others with fewer handlers, a handler that ends them, old tables."""

import pytest

from deploy.servers.zookeeper import ZooKeeper
from tests.acceptance.promises import check_fire_times, check_runs, owners, shares
from tests.acceptance.site import Site, eventually
from tests.acceptance.site import site as lend_site

pytestmark = [pytest.mark.acceptance, pytest.mark.outage, pytest.mark.timeout(200)]

ATTEMPTS = 6
NOT_RUN = "SELECT COUNT(*) FROM scheduling_execution WHERE state IN ('failed', 'lost')"


@pytest.fixture
def site(tmp_path):
    """A site whose instances are missed soon."""
    with ZooKeeper() as zookeeper, lend_site(tmp_path, registry=f"{zookeeper.url()}?session_timeout=2") as lent:
        yield lent


def test_an_instance_leads_although_it_knows_fewer_handlers_and_runs_nothing_of_the_others(site):
    newer = site.env.copy()
    site.env["DJANGO_SETTINGS_MODULE"] = "config.settings"
    site.scheduler()
    eventually(lambda: shares(site, 1, "archive-job", 1), 30, "the older one owns what it knows")
    (older,) = owners(site, "archive-job")
    assert owners(site) == {}
    site.env = newer
    scheduler = site.scheduler()
    check_runs_on(site)
    scheduler.kill()
    eventually(lambda: owners(site) == {}, 30, "what nobody knows has no owner")
    scheduler.start()
    check_runs_on(site)
    assert list(owners(site, "archive-job")) == [older]
    assert site.rows("SELECT leader FROM scheduling_snapshot") == [(older,)]
    assert older not in {note.instance for note in site.notes()}
    check_runs(site, at_least=200)
    check_fire_times(site, at_least=2)
    assert site.rows(NOT_RUN) == [(0,)]


def test_a_handler_that_ends_each_instance_it_runs_on_is_given_up_after_six_and_the_rest_goes_on(site):
    schedulers = [site.scheduler() for _ in range(2)]
    eventually(lambda: shares(site, 2), 30, "every scheduler owns its share")
    site.request("probe-killer", 1)

    def is_given_up():
        for scheduler in schedulers:
            if scheduler.process.poll() is not None:
                scheduler.start()
        return [row[1:4] for row in site.executions("probe-killer")] == [("lost", "instance_died", ATTEMPTS)]

    eventually(is_given_up, 90, "it is lost")
    fire = "SELECT state FROM scheduling_fire WHERE kind = 'manual'"
    eventually(lambda: site.rows(fire) == [("failed",)], 20, "its fire is settled")
    check_runs_on(site)
    check_runs(site, at_least=200)
    check_fire_times(site, at_least=5)
    assert site.rows(NOT_RUN) == [(1,)]


def test_on_tables_that_are_older_than_its_code_an_instance_does_not_start(tmp_path):
    site = Site(tmp_path, "sqlite://", "database://")
    done = site.manage("runscheduler", check=False)
    assert done.returncode == 1
    assert "migrations are not applied: run `manage.py migrate` first" in done.stderr


def check_runs_on(site):
    ran = len(site.notes())
    eventually(lambda: len(site.notes()) > ran + 250, 30, "items run")
