"""`make run` in a fresh clone, by what it prints: resumes move, a kill is survived, a third scheduler takes an item."""

import contextlib
import json
import os
import re
import shlex
import signal
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from urllib.request import urlopen

import pytest

from deploy.family import children
from deploy.servers.ports import free_port
from tests.acceptance.browser import Browser
from tests.acceptance.clone import copy_repository
from tests.acceptance.site import connect, eventually

EDUCATIONS = {"0": "bachelor", "1": "master", "2": "doctor"}
PARAMETERS = "0=bachelor,1=master,2=doctor"
ARCHIVED = re.compile(
    r"^(?:(?P<program>\S+) +\| )?\S+ INFO \S+ archive-job (?P<fire_time>\S+) item (?P<item>\d+) on (?P<instance>\S+): "
    r"archived resume (?P<id>\d+) .*\((?P<education>\w+)\)$",
    re.MULTILINE,
)
BANNER = re.compile(
    r"^Site +(?P<address>http\S+/)admin/\n.*, password (?P<password>.*);.*\n(?P<pids>(?:\S+ +pid \d+\n)+)", re.MULTILINE
)
SHOWN_ONCE = " (shown only now)"


@pytest.mark.acceptance
@pytest.mark.timeout(300)
def test_resumes_are_archived_once_each_through_a_kill_and_a_third_scheduler_and_a_second_run(terminal):
    copy_repository(terminal.folder)
    port = free_port()
    run = MakeRun(terminal, port)
    assert set(run.pids) == {"web", "scheduler-1", "scheduler-2"}
    watch_rows_move(terminal, run)
    assert run.password.endswith(SHOWN_ONCE)
    browser = signed_in(run.address, run.password.removesuffix(SHOWN_ONCE))

    killed = kill_the_one_that_works(terminal, run)
    by_hand = [terminal.start(*command_to_start_again(run, killed))]
    eventually(lambda: len(living(terminal)) == 2, 30, "the scheduler started again has joined")
    cut_into_three(terminal, browser)
    eventually(lambda: are_shared_out(terminal, [1, 2]), 30, "two schedulers share three items")

    by_hand.append(terminal.start(".venv/bin/python", "manage.py", "runscheduler"))
    eventually(lambda: are_shared_out(terminal, [1, 1, 1]), 30, "each of three schedulers owns one item")
    watch_each_archive_its_education(terminal)
    check_pages(terminal, browser)

    assert pid_that_runs(terminal, port) in terminal.processes()
    end_with_ctrl_c(terminal, run, left=by_hand)
    for scheduler in by_hand:
        scheduler.process.send_signal(signal.SIGTERM)
    assert [scheduler.wait(30) for scheduler in by_hand] == [0, 0]
    assert terminal.processes() == {}
    check_nothing_is_archived_twice(terminal)

    run_again(terminal, port, browser)
    check_nothing_is_archived_twice(terminal)


class MakeRun:
    """A `make run` that has said all that a newcomer must know, and whose site answers."""

    def __init__(self, terminal, port):
        began = time.monotonic()
        self.program = terminal.start("make", "run", PORT=str(port))
        found = eventually(self._banner, 240, "`make run` prints addresses and pids")
        self.seconds = time.monotonic() - began
        self.address, self.password = found["address"], found["password"]
        self.pids = {name: int(pid) for name, pid in re.findall(r"(\S+) +pid (\d+)", found["pids"])}
        eventually(self._answers, 30, "/healthz answers")

    def _banner(self):
        assert self.program.process.poll() is None, f"`make run` has ended:\n{self.program.output}"
        return BANNER.search(self.program.output)

    def _answers(self):
        with contextlib.suppress(OSError), urlopen(f"{self.address}healthz", timeout=10) as answer:
            return answer.status == 200


@dataclass(frozen=True, kw_only=True)
class Archived:
    """One line of the log that says which resume was archived; `program` is empty where it was started by hand."""

    program: str | None
    fire_time: str
    item: str
    instance: str
    id: str
    education: str

    @property
    def fired(self):
        return datetime.fromisoformat(self.fire_time)


def archived(*programs):
    """Return what the programs have said of resumes that they archived."""
    return [Archived(**line.groupdict()) for program in programs for line in ARCHIVED.finditer(program.output)]


def rows(terminal, statement):
    with contextlib.closing(connect(f"sqlite:///{terminal.folder / 'var' / 'db.sqlite3'}")) as connection:
        return connection.execute(statement).fetchall()


def copied(terminal):
    return {id for (id,) in rows(terminal, "SELECT id FROM resume_bak")}


def next_row(terminal):
    """Wait for one more row in `resume_bak`, and return when it was seen."""
    before = copied(terminal)
    eventually(lambda: copied(terminal) > before, 20, "one more row in resume_bak")
    return time.monotonic()


def watch_rows_move(terminal, run):
    next_row(terminal)  # which may be one that was late when the scheduler came up
    first, *_, last = [next_row(terminal) for _ in range(5)]
    assert 6 < last - first < 20
    fired = [line.fired for line in archived(run.program)]
    # One every two seconds; on a busy machine a fire may be coalesced into the next.
    assert all((later - earlier).total_seconds() in (2, 4, 6) for earlier, later in pairwise(fired)), fired


def kill_the_one_that_works(terminal, run):
    """Kill it between two fires; return its name."""
    next_row(terminal)
    killed = archived(run.program)[-1].program
    os.kill(run.pids[killed], signal.SIGKILL)
    began = time.monotonic()
    eventually(lambda: archived(run.program)[-1].program != killed, 30, "the other scheduler goes on")
    seconds = time.monotonic() - began
    print(f"the other scheduler went on {seconds:.1f} s after the kill")
    assert seconds <= 11
    assert rows(terminal, "SELECT 1 FROM scheduling_fire WHERE state = 'coalesced'")
    return killed


def command_to_start_again(run, killed):
    said = re.compile(rf"^{killed} +\| pid {run.pids[killed]} was ended by SIGKILL\. Start it again with: (.+)$", re.M)
    return shlex.split(eventually(lambda: said.search(run.program.output), 5, "the end is said")[1])


def signed_in(address, password):
    browser = Browser(address)
    page = browser.open("admin/")
    page = browser.send(page, page.form_with("password"), username="admin", password=password)
    assert page.address == f"{address}admin/"
    return browser


def cut_into_three(terminal, browser):
    """Set the job to three items with parameters in the admin."""
    ((job,),) = rows(terminal, "SELECT id FROM scheduling_job WHERE name = 'archive-job'")
    page = browser.open(f"admin/scheduling/job/{job}/change/")
    form = page.form_with("item_parameters")
    page = browser.send(page, form, sharding_total_count=3, item_parameters=PARAMETERS)
    assert "was changed successfully" in page.text


def owners(terminal):
    """Return instance → its items of the archive job."""
    ((document,),) = rows(terminal, "SELECT document FROM scheduling_assignment")
    return {
        id: [item for first, last in ranges for item in range(first, last + 1)]
        for id, ranges in json.loads(document).items()
    }


def living(terminal):
    found = rows(terminal, "SELECT id FROM scheduling_instance WHERE joined_at IS NOT NULL AND died_at IS NULL")
    return {id for (id,) in found}


def are_shared_out(terminal, shares):
    """Do the living instances own the three items, in shares of these sizes?"""
    owned = owners(terminal)
    complete = sorted(item for items in owned.values() for item in items) == [0, 1, 2]
    return complete and set(owned) == living(terminal) and sorted(map(len, owned.values())) == shares


def watch_each_archive_its_education(terminal):
    since, owned = datetime.now(UTC), owners(terminal)
    eventually(lambda: each_has_archived_twice(terminal, since), 30, "each of the three archives")
    for line in archived_since(terminal, since):
        assert owned[line.instance] == [int(line.item)]
        assert line.education == EDUCATIONS[line.item]


def each_has_archived_twice(terminal, since):
    counts = Counter(line.item for line in archived_since(terminal, since))
    return all(counts[item] >= 2 for item in EDUCATIONS)


def archived_since(terminal, since):
    return [line for line in archived(*terminal.programs) if line.fired > since]


def check_pages(terminal, browser):
    """The admin shows what the database has: who owns which item, and the rows that have moved."""
    instances = browser.open("admin/scheduling/instance/").text
    for id, (item,) in owners(terminal).items():
        assert id in instances
        assert re.search(rf"archive-job: {item}\b", instances)
    newest = max(copied(terminal))
    assert f"admin/resumes/resumebak/{newest}/change/" in browser.open("admin/resumes/resumebak/").text


def pid_that_runs(terminal, port):
    """Return whom a `make run` that comes too late names in its one line."""
    output = terminal.run("make", "run", exit_code=2, PORT=str(port))
    (line,) = [line for line in output.splitlines() if not line.startswith("make: ***")]
    said = re.fullmatch(rf"`make run` runs already: pid (\d+), http://127\.0\.0\.1:{port}/\. .*kill \1", line)
    assert said, line
    return int(said[1])


def end_with_ctrl_c(terminal, run, left):
    run.program.signal_group(signal.SIGINT)
    run.program.wait(30)
    supervisors = {each.process.pid for each in left}
    running = supervisors.union(*(children(pid) for pid in supervisors))
    eventually(lambda: set(terminal.processes()) == running, 5, "all of it has ended")
    assert not any(Path(f"/proc/{pid}").exists() for pid in run.pids.values())


def run_again(terminal, port, browser):
    """All is as before, and it ends by the command that the refusal names."""
    before = copied(terminal)
    run = MakeRun(terminal, port)
    print(f"the second `make run` was up after {run.seconds:.1f} s")
    assert run.seconds < 20
    assert run.password == "as before"
    assert copied(terminal) >= before
    assert rows(terminal, "SELECT COUNT(*) FROM resume") == [(1000,)]
    assert browser.open("admin/").address == f"{run.address}admin/"
    next_row(terminal)
    os.kill(pid_that_runs(terminal, port), signal.SIGTERM)
    run.program.wait(30)
    eventually(lambda: not terminal.processes(), 5, "all of it has ended")


def check_nothing_is_archived_twice(terminal):
    columns = "id, name, sex, phone, address, education, state"
    copies = rows(terminal, f"SELECT {columns} FROM resume_bak ORDER BY id")
    assert copies == rows(terminal, f"SELECT {columns} FROM resume WHERE state = '已归档' ORDER BY id")
    said = [int(line.id) for line in archived(*terminal.programs)]
    assert len(said) == len(set(said))
    # Only the one that was killed can have had no time to say so.
    assert len(copies) - len(said) in (0, 1)
