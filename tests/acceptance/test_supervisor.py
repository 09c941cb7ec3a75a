"""The supervisor of `runscheduler`: its working process is killed, or it itself, and others go on at once."""

import contextlib
import os
import re
import signal
import time
from datetime import datetime

import pytest

from deploy.daemons import began_at
from deploy.family import children
from deploy.servers.mariadb import MariaDB
from deploy.servers.zookeeper import ZooKeeper
from tests.acceptance.promises import living, shares
from tests.acceptance.site import Site, eventually
from tests.acceptance.site import site as lend_site

pytestmark = pytest.mark.acceptance

HANG = "probe-hang"
SESSION_SECONDS = 20
"""Of ZooKeeper: so long that what happens at once has not waited for its end."""


@pytest.fixture(params=["database", "zookeeper"])
def kind(request):
    return request.param


@pytest.fixture
def site(tmp_path, kind):
    """A site on the database registry; and one on MariaDB and a ZooKeeper whose sessions last long."""
    with contextlib.ExitStack() as stack:
        server = registry = ""
        if kind == "zookeeper":
            server = stack.enter_context(MariaDB()).url
            zookeeper = stack.enter_context(ZooKeeper())
            registry = f"{zookeeper.url()}?session_timeout={SESSION_SECONDS}"
        site = stack.enter_context(lend_site(tmp_path, server, registry or "database://"))
        site.change("probe-hundred", "enabled = False")  # in the journal is what a test asks for, and nothing else
        yield site
        running = [scheduler.pid for scheduler in site.schedulers if scheduler.process.poll() is None]
        left = {pid for supervisor in running for working in children(supervisor) for pid in children(working)}
        site.close()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def starts(site):
    return [note for note in site.notes() if note.event == "start"]


def deaths(site):
    return site.rows("SELECT pid, died_by FROM scheduling_instance WHERE died_at IS NOT NULL")


def registered(scheduler):
    return eventually(lambda: scheduler.working_pid, 30, "an instance is in the ledger")


def test_what_a_killed_working_process_ran_runs_elsewhere_at_once(site, kind):
    """How soon, also with a thousand items, is measured by `make bench-failover`."""
    items = 40
    site.change(HANG, f"sharding_total_count = {items}")
    first, second = (site.scheduler("--workers", str(items)) for _ in range(2))
    eventually(lambda: shares(site, 2, HANG, items), 60, "both own their share")
    site.request(HANG, 1)
    eventually(lambda: len(starts(site)) == items, 60, "all items run")
    for victim, other in ((first, second), (second, first)):
        number, took = killed(site, victim, other)
        print(f"{kind}: {number} items, all of them running elsewhere {took:.2f} s after the kill")
        eventually(lambda: shares(site, 2, HANG, items), 60, "the supervisor has a new instance, which owns its share")
    assert first.process.poll() is second.process.poll() is None
    tokens = [(note.item, note.token) for note in starts(site)]
    assert len(tokens) == len(set(tokens))


def killed(site, victim, other):
    """Kill a working process; return how many items it ran, and the seconds until all of them ran in the other."""
    pid, working = registered(victim), registered(other)
    latest = {note.item: note.pid for note in starts(site)}
    lost = sorted(item for item in latest if latest[item] == pid)
    before, killed_at = len(starts(site)), time.time()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(starts(site)) >= before + len(lost), 60, "all of it runs again")
    again = starts(site)[before:]
    assert sorted(note.item for note in again) == lost != []
    assert {note.pid for note in again} == {working}
    assert (pid, "supervisor") in deaths(site)
    return len(lost), max(note.time for note in again) - killed_at


def test_nothing_that_a_killed_working_process_has_started_is_left_when_its_death_is_declared(site):
    scheduler = site.scheduler()
    site.request("probe-children", 1)
    eventually(lambda: starts(site), 30, "it runs")
    pid = registered(scheduler)
    started = children(pid)
    assert len(started) == 2
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: deaths(site), 30, "its death is declared")
    assert deaths(site) == [(pid, "supervisor")]
    assert not any(began_at(each) for each in (pid, *started))
    eventually(lambda: len(starts(site)) == 2, 30, "the supervisor's next instance runs it again")
    assert [note.attempt for note in starts(site)] == [1, 2]


def test_a_working_process_ends_with_its_supervisor_and_others_take_over_when_its_session_has_ended(site, kind):
    scheduler, other = site.scheduler(), site.scheduler()
    site.request("probe-children", 1)
    (note,) = eventually(lambda: starts(site), 30, "it runs")
    if note.pid != registered(scheduler):
        scheduler, other = other, scheduler
    pid = registered(scheduler)
    grouped, away = sorted(children(pid), key=lambda each: os.getpgid(each) != pid)
    since = time.monotonic()
    os.kill(scheduler.pid, signal.SIGKILL)
    eventually(lambda: not began_at(pid) and not began_at(grouped), 5, "both have ended")
    print(f"its working process had ended {time.monotonic() - since:.2f} s after the supervisor")
    assert scheduler.wait(5) == -signal.SIGKILL
    os.kill(away, signal.SIGKILL)
    eventually(lambda: len(starts(site)) == 2, 60, "the other takes it over")
    print(f"{kind}: taken over after {time.monotonic() - since:.2f} s")
    ((died, by),) = deaths(site)
    assert died == pid
    assert by in living(site)


def test_a_signal_drains_and_a_second_one_leaves_behind_what_others_take_over_at_once(site, kind):
    first, second = site.scheduler(), site.scheduler()
    eventually(lambda: shares(site, 2, "probe-second", 4), 30, "both own items")
    site.request(HANG, 1)
    (note,) = eventually(lambda: starts(site), 30, "it runs")
    busy, idle = (first, second) if note.pid == registered(first) else (second, first)
    pid = registered(busy)
    busy.signal(signal.SIGTERM)
    eventually(lambda: "draining: 1 executions still run" in site.log_text(), 10, "it drains")
    since = time.monotonic()
    busy.signal(signal.SIGTERM)
    assert busy.wait(20) == 3
    eventually(lambda: len(starts(site)) == 2, 30, "the other takes it over")
    print(f"{kind}: taken over {time.monotonic() - since:.2f} s after the second signal")
    # It was asked to: nothing that it ran has killed it.
    assert site.rows("SELECT pid FROM scheduling_instance WHERE died_by = id") == [(pid,)]
    idle.kill()


def test_a_signal_of_the_terminal_comes_once(site):
    scheduler = site.scheduler(new_session=True)
    eventually(lambda: shares(site, 1, "probe-slow", 4), 30, "it owns its items")
    site.request("probe-slow", 1)
    eventually(lambda: ("running",) in {row[1:2] for row in site.executions("probe-slow")}, 30, "it runs")
    os.killpg(scheduler.pid, signal.SIGINT)
    assert scheduler.wait(60) == 0
    assert [row[1] for row in site.executions("probe-slow")] == ["succeeded"] * 4
    ((id, by),) = site.rows("SELECT id, died_by FROM scheduling_instance")
    assert id == by


@pytest.mark.parametrize("kind", ["database"], indirect=True)
def test_a_handler_that_ends_the_working_process_with_0_has_killed_it(site):
    scheduler = site.scheduler()
    pid = registered(scheduler)
    site.request("probe-quits", 1)
    eventually(lambda: site.executions("probe-quits")[0][1] == "succeeded", 60, "the next instance runs it")
    assert deaths(site) == [(pid, "supervisor")]
    assert "ended with exit code 0" in site.log_text()
    scheduler.signal(signal.SIGTERM)
    assert scheduler.wait(30) == 0


@pytest.mark.parametrize("kind", ["database"], indirect=True)
@pytest.mark.parametrize(
    ("job", "ended"), [("probe-stays", ("failed", "timed_out")), ("probe-thread", ("succeeded", ""))]
)
def test_neither_a_handler_that_was_cut_off_nor_a_thread_of_one_keeps_anything_from_ending(site, job, ended):
    scheduler = site.scheduler()
    id = eventually(lambda: living(site), 30, "an instance is in the ledger")
    site.request(job, 1)
    eventually(lambda: site.executions(job)[0][1:3] == ended, 30, "its attempt has ended")
    scheduler.signal(signal.SIGTERM)
    assert scheduler.wait(40) == 0
    assert {died_by for _, died_by in deaths(site)} == id


@pytest.mark.parametrize("kind", ["database"], indirect=True)
def test_a_loop_that_hangs_in_a_strategy_ends_its_process_so_that_others_go_on(site):
    scheduler = site.scheduler()
    id = eventually(lambda: living(site), 30, "an instance is in the ledger")
    site.change("probe-tick", "strategy = 'tests.acceptance.probe.jobs.hangs'")
    eventually(lambda: "ended with exit code 3" in site.log_text(), 60, "it has ended")
    assert re.search(r'its loop hangs, so(?s:.)*probe/jobs.py", line \d+, in hangs', site.log_text())
    eventually(lambda: deaths(site), 30, "its death is declared")
    assert {died_by for _, died_by in deaths(site)} == id  # what ran there is not to blame
    site.change("probe-tick", "strategy = 'sticky'")
    site.request("probe-tick", 1)
    eventually(lambda: site.executions("probe-tick")[0][1] == "succeeded", 60, "the next process has run it")
    assert scheduler.process.poll() is None


@pytest.mark.parametrize("kind", ["database"], indirect=True)
def test_one_start_that_fails_after_others_that_did_not_is_followed_by_another(site, tmp_path):
    flag = tmp_path / "fails"
    scheduler = site.scheduler(env={"PROBE_FAILS_IF": str(flag)})
    first = registered(scheduler)
    flag.touch()
    os.kill(first, signal.SIGKILL)
    eventually(lambda: scheduler.working_pid not in (0, first), 60, "a third process is registered")
    assert "ended with exit code 1 before it was registered" in site.log_text()
    assert not flag.exists()


@pytest.mark.parametrize("kind", ["database"], indirect=True)
def test_a_working_process_that_dies_again_and_again_is_started_with_growing_pauses(site):
    scheduler = site.scheduler(env={"PROBE_CRASHES": "1"})
    eventually(lambda: site.log_text().count("starts in") == 3, 60, "three of them have died")
    assert re.findall(r"starts in (\d+) s", site.log_text()) == ["1", "2", "4"]
    assert len(re.findall(r"working process, pid \d+, was ended by SIGKILL before it was reg", site.log_text())) == 3
    begun = [stamp(line) for line in site.log_text().splitlines() if "supervises the working process" in line]
    assert begun[1] - begun[0] >= 1
    assert begun[2] - begun[1] >= 2
    since = time.monotonic()
    scheduler.signal(signal.SIGTERM)
    assert scheduler.wait(10) == 0
    assert time.monotonic() - since < 3


def stamp(line):
    return datetime.fromisoformat(line.split()[0]).timestamp()


@pytest.mark.parametrize("kind", ["database"], indirect=True)
def test_a_signal_before_anything_has_begun_leaves_nothing_behind(site):
    scheduler = site.scheduler()
    eventually(lambda: "supervises the working process" in site.log_text(), 30, "the working process is started")
    scheduler.signal(signal.SIGTERM)
    assert scheduler.wait(30) == 0
    assert living(site) == set()


def test_one_that_cannot_start_is_not_started_again(tmp_path):
    site = Site(tmp_path, os.environ["DATABASE_URL"], "database://")
    scheduler = site.scheduler()
    assert scheduler.wait(60) == 1
    assert "migrations are not applied: run `manage.py migrate` first" in site.log_text()
    assert site.log_text().count("supervises the working process") == 1
    assert site.manage("runscheduler", "--workers", "0", check=False).returncode == 2


@pytest.mark.timeout(200)
def test_what_cannot_be_told_is_left_to_the_others(tmp_path):
    with MariaDB() as server, lend_site(tmp_path, server.url) as site:
        scheduler = site.scheduler()
        eventually(lambda: shares(site, 1, HANG, 1), 30, "it owns all items")
        pid = registered(scheduler)
        server.stop()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: "could not write its death into the ledger" in site.log_text(), 60, "it says so")
        server.start()
        eventually(
            lambda: len(deaths(site)) == 1 and shares(site, 1, HANG, 1), 60, "its next instance declares the death"
        )
        ((died, by),) = deaths(site)
        assert died == pid
        assert by in living(site)
        assert scheduler.process.poll() is None
