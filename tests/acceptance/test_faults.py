"""What a handler, a signal, a freeze or an outage can do to real schedulers: no instance stops working."""

import contextlib
import signal
import sqlite3
import time
from urllib.parse import urlsplit

import pytest

from deploy.servers.mariadb import MariaDB
from tests.acceptance.promises import owners
from tests.acceptance.site import eventually
from tests.acceptance.site import site as lend_site

pytestmark = pytest.mark.acceptance


SECOND = "probe-second"


def ends(site, job):
    return [(state, reason) for _, state, reason, *_ in site.executions(job)]


def instances(site):
    return site.rows("SELECT id, died_at, died_by FROM scheduling_instance ORDER BY started_at")


def archived(site):
    return site.rows("SELECT COUNT(*) FROM resume_bak")[0][0]


def test_handlers_that_raise_or_return_nonsense_are_failed_executions_with_a_reason(site):
    site.scheduler()
    site.request("probe-fail", 1)
    site.request("probe-nonsense", 2)
    eventually(lambda: ends(site, "probe-fail") == [("failed", "raised")], 30, "the failure is written")
    eventually(lambda: ends(site, "probe-nonsense") == [("failed", "bad_result")], 30, "the bad result is written")
    ((*_, traceback),) = site.executions("probe-fail")
    assert "ValueError: the probe fails, as it should: 失败" in traceback
    ((*_, message),) = site.executions("probe-nonsense")
    assert "returned {'done': 1} (dict): return nothing, or a text" in message


def test_a_second_signal_leaves_a_hanging_handler_behind_and_another_instance_takes_it_over(site):
    first = site.scheduler()
    site.request("probe-hang", 1)
    eventually(lambda: ends(site, "probe-hang") == [("running", "")], 30, "the handler hangs")
    first.signal(signal.SIGTERM)
    time.sleep(2)
    assert first.process.poll() is None
    first.signal(signal.SIGTERM)
    assert first.wait(10) == 3
    second = site.scheduler()
    eventually(lambda: [row[3:5] for row in site.executions("probe-hang")] == [(2, 2)], 30, "it is run again")
    second.kill()


def test_a_signal_drains_what_runs_ends_and_nothing_is_run_again(site):
    first, second = site.scheduler(), site.scheduler()
    eventually(lambda: len(owners(site, SECOND)) == 2, 30, "both own items")
    site.request("probe-second", 1)
    eventually(lambda: ends(site, "probe-second").count(("running", "")) == 4, 30, "all four items run")
    first.signal(signal.SIGTERM)
    assert first.wait(30) == 0
    eventually(lambda: ends(site, "probe-second") == [("succeeded", "")] * 4, 30, "all four end")
    assert [row[3] for row in site.executions("probe-second")] == [1] * 4
    (left,) = [row for row in instances(site) if row[1]]
    assert left[0] == left[2]
    eventually(lambda: len(owners(site, SECOND)) == 1, 30, "the other owns all items")
    second.signal(signal.SIGINT)
    assert second.wait(30) == 0


def test_an_instance_that_was_frozen_goes_on_under_a_new_id(tmp_path):
    # Not on SQLite: a process frozen within a transaction keeps its one write lock from everybody until it thaws.
    with MariaDB() as server, lend_site(tmp_path, server.url) as site:
        frozen, other = site.scheduler(), site.scheduler()
        eventually(lambda: len(owners(site, SECOND)) == 2, 30, "both own items")
        site.request("probe-second", 1)
        eventually(lambda: ends(site, "probe-second").count(("running", "")) == 4, 30, "all four items run")
        frozen.freeze()
        eventually(lambda: ends(site, "probe-second") == [("succeeded", "")] * 4, 40, "its items are taken over")
        assert sorted(row[3] for row in site.executions("probe-second")) == [1, 1, 2, 2]
        frozen.thaw()
        eventually(
            lambda: len(instances(site)) == 3 and len(owners(site, SECOND)) == 2, 30, "it has joined under a new id"
        )
        assert "no longer yours" in site.log_text()
        assert frozen.process.poll() is other.process.poll() is None


def test_disabling_a_job_cancels_what_is_pending_and_lets_what_runs_end(site):
    site.scheduler("--workers", "2")
    site.request("probe-slow", 1)
    eventually(lambda: ends(site, "probe-slow").count(("running", "")) == 2, 30, "two of four items run")
    site.change("probe-slow", "enabled = False")
    eventually(lambda: ("running", "") not in ends(site, "probe-slow"), 30, "the two end")
    assert sorted(ends(site, "probe-slow")) == [("cancelled", "disabled")] * 2 + [("succeeded", "")] * 2
    fires = "SELECT state FROM scheduling_fire WHERE kind = 'manual'"
    eventually(lambda: site.rows(fires) == [("succeeded",)], 30, "the fire is settled")


def test_a_database_that_is_locked_for_ten_seconds_stops_nobody(site):
    site.manage("seedresumes", "100")
    schedulers = [site.scheduler(), site.scheduler()]
    eventually(lambda: archived(site) >= 2, 30, "resumes are archived")
    file = urlsplit(site.env["DATABASE_URL"]).path.removeprefix("/")
    with contextlib.closing(sqlite3.connect(f"/{file.lstrip('/')}", timeout=20, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(10)
        connection.execute("ROLLBACK")
    check_goes_on(site, schedulers)


@pytest.mark.timeout(300)
def test_a_database_that_is_gone_for_ten_seconds_stops_nobody(tmp_path):
    with MariaDB() as server, lend_site(tmp_path, server.url) as site:
        site.manage("seedresumes", "100")
        schedulers = [site.scheduler(), site.scheduler()]
        eventually(lambda: archived(site) >= 2, 30, "resumes are archived")
        server.stop()
        time.sleep(10)
        server.start()
        check_goes_on(site, schedulers)


def check_goes_on(site, schedulers):
    before = archived(site)
    eventually(lambda: archived(site) >= before + 3, 40, "resumes are archived again")
    assert [scheduler.process.poll() for scheduler in schedulers] == [None] * len(schedulers)
    again = [row for row in site.executions("archive-job") if row[3] > 1 or row[1] in ("failed", "lost")]
    assert len(again) <= 1  # the one that the outage met while it ran
    assert site.rows("SELECT COUNT(*) FROM resume WHERE state = '已归档'")[0][0] == archived(site)
