"""Real schedulers on a real ZooKeeper: killed, frozen and cut off in turn; and ZooKeeper restarted and wiped."""

import contextlib
import signal
import time
from collections import Counter

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NotEmptyError

from deploy.servers.mariadb import MariaDB
from deploy.servers.zookeeper import ZooKeeper
from tests.acceptance.promises import (
    check_fire_times,
    check_rows,
    check_runs,
    living,
    owned_again,
    owners,
    shares,
)
from tests.acceptance.proxy import Proxy
from tests.acceptance.site import eventually
from tests.acceptance.site import site as lend_site

pytestmark = [pytest.mark.acceptance, pytest.mark.outage]

SESSION_TIMEOUT = 6
LIMIT = 3 * SESSION_TIMEOUT + 1


@pytest.fixture
def zookeeper():
    with ZooKeeper() as server:
        yield server


@pytest.fixture
def site(tmp_path, zookeeper):
    """A site on a MariaDB and a ZooKeeper of its own."""
    with MariaDB() as database, lend_site(tmp_path, database.url, zookeeper.url()) as lent:
        yield lent


@pytest.mark.timeout(400)
def test_killed_frozen_and_cut_off_in_turn_nothing_runs_twice_and_no_fire_time_is_lost(site, zookeeper):
    with contextlib.ExitStack() as stack:
        proxies = [stack.enter_context(Proxy(zookeeper.port)) for _ in range(3)]
        urls = [zookeeper.url().replace(f":{zookeeper.port}/", f":{proxy.port}/") for proxy in proxies]
        schedulers = [site.scheduler(registry=url) for url in urls]
        eventually(lambda: shares(site, 3), 30, "every scheduler owns its share")
        for scheduler, proxy in zip(schedulers, proxies, strict=True):
            struck(site, "killed", scheduler.kill, scheduler.start)
            struck(site, "frozen", scheduler.freeze, scheduler.thaw)
            struck(site, "cut off", proxy.silence, proxy.speak)
        drain(schedulers)
    check_runs(site)
    check_fire_times(site)
    check_rows(site)


def struck(site, how, strike, mend):
    """Strike one of three schedulers in the midst of a fire, and mend it when the others own all items."""
    time.sleep(2.06 - time.time() % 2)
    since = time.monotonic()
    strike()
    took = owned_again(site, 2, since)
    print(f"{how}: every item owned again after {took:.2f} s")
    assert took < LIMIT
    mend()
    eventually(lambda: shares(site, 3), LIMIT, "it owns its share again")


def drain(schedulers):
    for scheduler in schedulers:
        scheduler.signal(signal.SIGTERM)
    assert [scheduler.wait() for scheduler in schedulers] == [0] * len(schedulers)


@pytest.mark.timeout(300)
def test_zookeeper_restarted_stopped_and_wiped_ends_no_instance_and_runs_nothing_twice(site, zookeeper):
    schedulers = [site.scheduler() for _ in range(3)]
    eventually(lambda: shares(site, 3), 30, "every scheduler owns its share")
    before = living(site)
    for away, wiped in ((0, False), (2 * SESSION_TIMEOUT, False), (0, True)):
        zookeeper.kill()
        if wiped:
            zookeeper.wipe()
        time.sleep(away)
        zookeeper.start()
        since, ran = time.monotonic(), len(site.notes())
        eventually(lambda ran=ran: len(site.notes()) > ran + 50, LIMIT, "items run again")
        eventually(lambda: shares(site, 3), LIMIT, "every scheduler owns its share")
        print(
            f"away {away} s, {'wiped' if wiped else 'kept'}: in order {time.monotonic() - since:.2f} s after its start"
        )
    time.sleep(SESSION_TIMEOUT + 2)  # long enough for a wrong death to be declared
    assert living(site) == before
    assert [scheduler.process.poll() for scheduler in schedulers] == [None] * 3
    drain(schedulers)
    check_runs(site)
    # Not their attempts: one whose proof of life ended while its claim was under way was put back, and never ran.
    starts = Counter((note.fire_time, note.item) for note in site.notes() if note.event == "start")
    assert set(starts.values()) == {1}
    check_fire_times(site, at_least=10)
    check_rows(site)
    assert site.rows("SELECT COUNT(*) FROM scheduling_fire WHERE state = 'coalesced'") != [(0,)]


@pytest.mark.timeout(300)
def test_one_instance_owns_a_thousand_items_and_five_share_them_evenly(site):
    schedulers = []
    for count in (1, 2, 3, 4, 5):
        schedulers.append(site.scheduler())
        eventually(lambda count=count: shares(site, count, "probe-thousand", 1000), LIMIT, f"{count} own their shares")
    while len(schedulers) > 1:
        schedulers.pop().kill()
        count = len(schedulers)
        eventually(lambda count=count: shares(site, count, "probe-thousand", 1000), LIMIT, f"{count} own their shares")
    assert list(owners(site, "probe-thousand").values()) == [1000]


def test_a_saved_cron_is_published_and_a_wiped_tree_is_rebuilt(site, zookeeper):
    site.scheduler()
    path = "/data-archive-job/jobs/archive-job"
    with raw(zookeeper) as client:
        eventually(lambda: client.exists(path), 30, "the job is published")
        site.change("archive-job", "cron = '0/7 * * * * ?'")
        eventually(lambda: b"0/7 * * * * ?" in client.get(path)[0], 10, "the new cron is published")
        wipe(client, "/data-archive-job")
        eventually(lambda: client.exists(path), 30, "the job is published again")
        eventually(lambda: shares(site, 1), 30, "its items are owned again")


@pytest.mark.timeout(200)
def test_fires_cost_zookeeper_nothing(site, zookeeper):
    for _ in range(3):
        site.scheduler()
    eventually(lambda: shares(site, 3), 30, "every scheduler owns its share")
    site.shell(
        "from scheduling.database import configuration as c; from scheduling.models import Job\n"
        "from django.db import transaction as t\n"
        "with t.atomic():\n"
        "    for n in range(100): c.save(Job(name=f'tick-{n}', handler='probe-tick', cron='* * * * * ?'))"
    )
    enable(site, False)
    idle = packets_in(zookeeper, 10)
    enable(site, True)
    fired = "SELECT COUNT(*) FROM scheduling_execution WHERE state = 'succeeded'"
    eventually(lambda: site.rows(fired)[0][0] > 300, 30, "a hundred jobs fire")
    ran = site.rows(fired)[0][0]
    loaded = packets_in(zookeeper, 10)
    ran = site.rows(fired)[0][0] - ran
    print(f"{idle} packets in 10 s without a fire, {loaded} with {ran} executions")
    assert ran > 700
    assert loaded < 1.1 * idle + 10  # one request a fire would add hundreds


def enable(site, enabled):
    """Let all jobs fire, or none."""
    site.shell(
        "from scheduling.database import configuration as c; from scheduling.models import Job\n"
        "from django.db import transaction as t\n"
        "with t.atomic():\n"
        f"    for row in Job.objects.all(): row.enabled = {enabled}; c.save(row)"
    )
    time.sleep(3)


def wipe(client, path):
    """Delete a tree, whose owners write into it all the while."""
    with contextlib.suppress(NotEmptyError):
        client.delete(path, recursive=True)


def packets_in(zookeeper, seconds):
    before = packets(zookeeper)
    time.sleep(seconds)
    return packets(zookeeper) - before


def packets(zookeeper):
    found = dict(line.split("\t", 1) for line in zookeeper.four_letter("mntr").splitlines() if "\t" in line)
    return int(found["zk_packets_received"])


@contextlib.contextmanager
def raw(zookeeper):
    client = KazooClient(zookeeper.hosts)
    client.start()
    try:
        yield client
    finally:
        client.stop()
        client.close()
