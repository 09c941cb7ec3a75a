"""One login through nginx, in a real browser, while what is behind it dies, freezes and forgets."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.servers.mariadb import MariaDB
from deploy.servers.redis import Redis
from deploy.servers.tier import Tier
from tests.acceptance.chromium import NotLoggedIn, Visitor, chromium
from tests.acceptance.site import site as lend_site

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

PAGES = [
    "/",
    "/admin/",
    "/admin/scheduling/job/",
    "/admin/scheduling/job/add/",
    "/admin/scheduling/fire/",
    "/admin/scheduling/execution/",
    "/admin/scheduling/instance/",
    "/admin/resumes/resume/?q=王",
    "/admin/auth/user/",
    "/admin/auth/user/add/",
]
SLOWEST = 3.0
"""Seconds, while other tests keep the machine busy; `make bench-sessions` holds the engine to 1.5."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with MariaDB() as server, lend_site(tmp_path_factory.mktemp("site"), server=server.url) as lent:
        user = "__import__('django.contrib.auth').contrib.auth.get_user_model().objects"
        lent.shell(f"{user}.create_superuser('admin', password='secret')")
        lent.manage("collectstatic", "--noinput", "--verbosity", "0")
        yield lent


@pytest.fixture(scope="module")
def redis():
    with Redis() as server:
        yield server


@pytest.fixture(scope="module")
def running(site, redis):
    with Tier({**site.env, "REDIS_URL": redis.url}, settings="config.settings", login_rate="600r/m") as tier:
        yield tier


@pytest.fixture
def tier(running, redis):
    yield running
    redis.thaw()
    for server in (redis, *running.replicas.values()):
        if not server.is_running():
            server.start()


@pytest.fixture(scope="module")
def browser():
    with chromium() as lent:
        yield lent


@pytest.fixture
def visitor(browser, tier):
    """Lend somebody who has logged in, and look at the end whether anything went wrong for them."""
    lent = logged_in(browser, tier)
    yield lent
    print(f"slowest answer: {lent.slowest:.2f} s")
    assert lent.problems == []
    assert lent.slowest < SLOWEST


def logged_in(browser, tier):
    visitor = Visitor(browser.new_page(locale="en-GB"), tier.url)
    visitor.log_in("admin", "secret")
    return visitor


def walk(visitor):
    for path in PAGES:
        visitor.open(path)


def test_ten_pages_come_from_alternating_replicas(visitor):
    visitor.replicas.clear()
    walk(visitor)
    assert set(visitor.replicas) == {"r1", "r2", "r3"}


def test_the_start_page_names_the_replica_and_counts_the_visits(visitor):
    visitor.open("/")
    assert visitor.page.inner_text("h1").split()[-1] == visitor.replicas[-1]
    before = visitor.page.inner_text(".sc-foot")
    visitor.open("/")
    assert visitor.page.inner_text(".sc-foot") != before


def test_the_login_holds_when_the_replica_that_answered_last_is_killed(visitor, tier):
    walk(visitor)
    tier.replicas[visitor.replicas[-1]].kill()
    walk(visitor)


def test_the_login_holds_while_redis_restarts(visitor, redis):
    walk(visitor)
    redis.stop()
    walk(visitor)
    redis.start()
    walk(visitor)


def test_the_login_holds_when_redis_forgets_everything(visitor, redis):
    walk(visitor)
    redis.flush()
    walk(visitor)


def test_the_login_holds_while_redis_hangs(visitor, redis):
    walk(visitor)
    redis.freeze()
    walk(visitor)
    redis.thaw()
    walk(visitor)


def test_one_can_log_in_while_redis_hangs(browser, tier, redis):
    redis.freeze()
    walk(logged_in(browser, tier))


def test_the_login_holds_while_all_replicas_restart(visitor, tier):
    with ThreadPoolExecutor(1) as deploy:
        restarted = deploy.submit(tier.rolling_restart)
        while not restarted.done():
            walk(visitor)
        restarted.result()
    walk(visitor)


@pytest.mark.parametrize("fault", ["kill", "freeze", "nothing"])
def test_a_logout_holds_on_every_replica_whatever_becomes_of_redis(browser, tier, redis, fault):
    visitor = logged_in(browser, tier)
    walk(visitor)
    cookies = visitor.page.context.cookies()
    {"kill": redis.kill, "freeze": redis.freeze, "nothing": lambda: None}[fault]()
    visitor.log_out()
    if fault == "kill":
        redis.start()
    redis.thaw()
    time.sleep(1.0)  # while Redis could not be told, a replica may answer for a second more, and no longer
    for replica in tier.replicas.values():
        thief = browser.new_context()
        thief.add_cookies([{**cookie, "domain": "127.0.0.1"} for cookie in cookies])
        with pytest.raises(NotLoggedIn):
            Visitor(thief.new_page(), replica.url).open("/")


def test_with_sessions_per_replica_the_same_walk_fails(browser, site):
    """The test of the test."""
    with (
        Tier(site.env, settings="tests.acceptance.per_replica_settings") as tier,
        pytest.raises(NotLoggedIn),
    ):
        walk(logged_in(browser, tier))
