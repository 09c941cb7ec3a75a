"""Real schedulers on machines whose clocks are wrong, and on a ledger that was restored while they ran."""

import contextlib
import json
import os
import subprocess
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from deploy.servers.mariadb import MariaDB
from deploy.servers.programs import program
from deploy.servers.zookeeper import ZooKeeper
from scheduling.management.acts import RESTORED_TOKENS
from tests.acceptance.outage import Schedulers
from tests.acceptance.promises import at, check_fire_times, check_runs, owners, shares
from tests.acceptance.site import eventually
from tests.acceptance.site import site as lend_site

pytestmark = [pytest.mark.acceptance, pytest.mark.outage, pytest.mark.timeout(200)]

DAY = 86_400


def holding(site):
    """Return instance → why it starts nothing, as the leader last wrote it for the web processes."""
    rows = site.rows("SELECT document FROM scheduling_snapshot")
    instances = json.loads(rows[0][0])["instances"] if rows else {}
    return {id: (shown["holding"], shown["clock_offset"]) for id, shown in instances.items() if shown["holding"]}


def test_an_instance_whose_clock_is_wrong_starts_nothing_until_it_is_right_again(tmp_path):
    with lend_site(tmp_path) as site:
        clock = Clock(tmp_path / "clock")
        right = site.scheduler()
        eventually(lambda: shares(site, 1), 30, "it owns all items")
        (right_id,) = owners(site)
        site.env |= {"DJANGO_SETTINGS_MODULE": "tests.acceptance.shifted_settings", "PROBE_CLOCK": str(clock.file)}
        wrong = site.scheduler()
        eventually(lambda: shares(site, 2), 30, "both own their shares")
        (wrong_id,) = owners(site).keys() - {right_id}
        for seconds in (100, -50, DAY):
            clock.shift(seconds)
            eventually(lambda: wrong_id in holding(site) and list(owners(site)) == [right_id], 20, "it holds")
            reason, offset = holding(site)[wrong_id]
            assert (reason, round(offset)) == ("clock_is_off", seconds)
            check_only(site, right_id)
            clock.shift(0)
            eventually(lambda: shares(site, 2), 20, "it takes part again")
            assert not holding(site)
        assert right.process.poll() is wrong.process.poll() is None
        for said in ("100.0 s ahead of", "50.0 s behind", "86400.0 s ahead of"):
            assert f"its clock is {said} the database's" in site.log_text()
        check_runs(site, at_least=500)
        check_fire_times(site, at_least=5)
        assert all(note.time > datetime.fromisoformat(note.fire_time).timestamp() for note in site.notes())
        ((last,),) = site.rows("SELECT MAX(fire_time) FROM scheduling_fire")
        assert at(last) <= datetime.now(UTC)


def check_only(site, instance):
    """Nobody but this instance runs anything."""
    time.sleep(0.5)  # what the other had begun writes its first line
    before = site.notes()
    eventually(lambda: len(site.notes()) > len(before) + 250, 20, "items run")
    assert {note.instance for note in site.notes()[len(before) :] if note.event == "start"} == {instance}


class Clock:
    """How many seconds the clock of a machine is ahead, in a file that `shifted` reads."""

    def __init__(self, file):
        self.file = file
        self.shift(0)

    def shift(self, seconds):
        new = self.file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self.file)


def test_a_ledger_that_was_restored_under_live_instances_starts_nothing_until_people_say_so(tmp_path):
    with (
        MariaDB() as server,
        ZooKeeper() as zookeeper,
        lend_site(tmp_path, server.url, zookeeper.url()) as site,
    ):
        schedulers = Schedulers(site)
        dump = ask(site, "mariadb-dump")
        schedulers.check_goes_on()
        load(site, dump)
        # Perhaps under new ids: one that meets the table of instances while it is being filled finds itself dead.
        both = ["ledger_went_back"] * 2
        eventually(lambda: [why for why, _ahead in holding(site).values()] == both, 30, "both hold")
        assert site.log_text().count("Run `manage.py jobs restored`, then restart every runscheduler") == 2
        time.sleep(0.5)
        ran = site.notes()
        time.sleep(4)
        assert len(site.notes()) == len(ran)
        # What ran since the dump is due again, as a first attempt.
        site.journal.write_text("")
        assert "restart every runscheduler" in site.manage("jobs", "restored").stdout
        schedulers.restart()
        schedulers.check_goes_on()
        schedulers.check_order()
        assert all(note.token < RESTORED_TOKENS for note in ran)
        assert all(note.token > RESTORED_TOKENS for note in site.notes())


def load(site, dump):
    """Load a dump; once more where an instance has written to a table between its making and its filling."""
    for _try in range(5):
        with contextlib.suppress(subprocess.CalledProcessError):
            ask(site, "mariadb", dump)
            return
    ask(site, "mariadb", dump)


def ask(site, name, given=""):
    """Run one of MariaDB's programs on the site's database, and return what it says."""
    url = urlsplit(site.env["DATABASE_URL"])
    where = ["--no-defaults", "-h", str(url.hostname), "-P", str(url.port), "-u", str(url.username)]
    command = [program(name), *where, *(["--single-transaction"] if "dump" in name else []), url.path[1:]]
    env = os.environ | {"MYSQL_PWD": str(url.password)}
    return subprocess.run(command, env=env, input=given, capture_output=True, text=True, check=True).stdout
