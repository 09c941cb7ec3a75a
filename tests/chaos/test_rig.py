"""The rig's own parts: what it draws, how its links pass bytes on, and what its report says."""

import contextlib
import json
import socket
import threading
import time

import pytest

from chaos import journal
from chaos.figures import figures, spread
from chaos.plan import KINDS, plan
from chaos.plot import plot
from chaos.proxy import Link
from chaos.report import page, verdict, write
from chaos.shadows import RERUNS
from chaos.triggers import fire_times
from chaos.values import Violation
from tests.chaos.histories import entry, period, rerun

SOON = 10
A_WHILE = 0.3


def test_a_seed_repeats_its_faults():
    assert plan(7, 600, 5) == plan(7, 600, 5)
    assert plan(7, 600, 5) != plan(8, 600, 5)


@pytest.mark.parametrize("seed", range(20))
def test_ten_minutes_have_enough_faults_of_every_kind(seed):
    planned = plan(seed, 600, 5)
    assert sum(each.kind != "edit" for each in planned) >= 35
    assert {each.kind for each in planned} == {kind.name for kind in KINDS}


def test_only_what_ends_a_session_explains_a_re_run():
    assert {kind.name for kind in KINDS if kind.reruns} == RERUNS


def test_what_is_written_to_the_journal_is_read_from_it(tmp_path):
    line = {"event": "start", "at": 1.5, "node": "n1", "instance": "a", "pid": 1, "job": "j", "item": 0}
    line |= {"fire_time": 1, "run": 0, "execution": 2, "attempt": 1, "token": 3}
    journal.append(str(tmp_path / "journal"), line)
    (found,) = journal.entries(tmp_path / "journal")
    assert (found.event, found.execution, found.outcome) == ("start", 2, "")


def test_a_line_that_could_be_torn_is_refused(tmp_path):
    with pytest.raises(ValueError, match="torn"):
        journal.append(str(tmp_path / "journal"), {"text": "x" * 5000})


@pytest.mark.parametrize(
    ("after", "every", "anchor", "expected"),
    [
        (100.5, 2, 0, [102, 104, 106]),
        (102.0, 2, 0, [104, 106]),
        (100.0, 7, 100, []),
        (100.2, 3, 100, [103, 106]),
        (99.9, 1, 103, [104, 105, 106]),
    ],
)
def test_fire_times_count_from_the_anchor_and_come_after_the_beginning(after, every, anchor, expected):
    assert fire_times(period(after=after, every=every, anchor=anchor), 106.9) == expected


def test_a_disabled_job_has_no_fire_times():
    assert fire_times(period(enabled=False), 5_000) == []


@pytest.fixture
def echo():
    """Lend the port of a server that answers each line with itself, and serves one caller after another."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    caller, _address = door.accept()
                    threading.Thread(target=answer, args=(caller,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)


def answer(caller):
    with contextlib.suppress(OSError), caller:
        while received := caller.recv(100):
            caller.sendall(received)


@pytest.fixture
def link(echo):
    with Link([echo]) as lent:
        yield lent


@pytest.fixture
def caller(link):
    with socket.create_connection(("127.0.0.1", link.ports[0]), timeout=SOON) as lent:
        lent.sendall(b"hello")
        assert lent.recv(100) == b"hello"
        yield lent


def is_silent(caller):
    caller.settimeout(A_WHILE)
    try:
        return caller.recv(100) is None
    except TimeoutError:
        return True
    finally:
        caller.settimeout(SOON)


@pytest.mark.parametrize("directions", [("up",), ("down",), ("up", "down")])
def test_a_held_link_is_silent_and_tells_everything_when_it_is_mended(link, caller, directions):
    link.hold(*directions)
    caller.sendall(b"late")
    assert is_silent(caller)
    link.mend()
    assert caller.recv(100) == b"late"


def test_a_connection_that_begins_on_a_held_link_waits(link):
    link.hold("up", "down")
    with socket.create_connection(("127.0.0.1", link.ports[0]), timeout=SOON) as caller:
        caller.sendall(b"early")
        assert is_silent(caller)
        link.mend()
        assert caller.recv(100) == b"early"


def test_a_cut_link_ends_connections_old_and_new_until_it_is_mended(link, caller):
    link.cut()
    assert caller.recv(100) == b""
    with socket.create_connection(("127.0.0.1", link.ports[0]), timeout=SOON) as second:
        assert ended(second)
    link.mend()
    with socket.create_connection(("127.0.0.1", link.ports[0]), timeout=SOON) as third:
        third.sendall(b"again")
        assert third.recv(100) == b"again"


def ended(caller):
    try:
        return caller.recv(100) == b""
    except ConnectionResetError:
        return True


def test_a_slow_link_takes_its_time_each_way(link, caller):
    link.delay(0.1)
    since = time.monotonic()
    caller.sendall(b"slow")
    assert caller.recv(100) == b"slow"
    assert time.monotonic() - since >= 0.2


def test_figures_tell_how_long_a_failover_took_and_how_late_undisturbed_runs_were():
    found = figures(rerun(), [])
    assert found["failover s"] == {"kill both": {"count": 1, "p50": 7.5, "p99": 7.5, "last": 7.5}}
    assert found["lateness ms"] == {"count": 3, "p50": 30.0, "p99": 30.0, "last": 30.0}
    assert (found["faults"], found["executions"], found["failovers"]) == (1, 3, 1)


def test_percentiles_are_of_the_numbers():
    assert spread(range(1, 101)) == {"count": 100, "p50": 50, "p99": 99, "last": 100}
    assert spread([]) == {"count": 0}


def test_the_verdict_is_the_last_line(tmp_path):
    good, bad = figures(rerun(), []), figures(rerun(), [Violation(kind="overlap", text="two at a time")])
    assert verdict(good, None) == "PASSED: 1 faults of 1 kinds, 3 executions, 1 failovers, no violations. SEED=1"
    lines = verdict(bad, tmp_path).splitlines()
    assert lines[0] == "overlap: two at a time"
    assert lines[-1] == "FAILED: 1 faults of 1 kinds, 3 executions, 1 failovers, 1 violation. SEED=1"


def test_the_page_names_the_run_and_each_violation():
    found = figures(rerun(), [Violation(kind="overlap", text="two at a time")])
    text = page(found | {"versions": {"Python": "3.11", "commit": "abc"}})
    assert "Python 3.11, commit abc." in text
    assert "`make chaos SECONDS=0 SEED=1`" in text
    assert "| kill both | 1 | 1 | 7.5 | 7.5 |" in text
    assert "- overlap: two at a time" in text


def test_the_plot_shows_runs_that_ended_and_one_that_was_cut_short(tmp_path):
    text = plot(rerun())
    assert "kill both n1" in text
    assert text.count("<path") - text.count('stroke="#eee"') == 3  # fire times; runs that ended; the one that did not
    found = rerun(entries=(*rerun().entries, entry("start", 3, execution=99, job="unknown")))
    assert plot(found) == text  # no lane, no run


def test_a_report_is_three_files(tmp_path):
    write(rerun(), [], {"commit": "abc"}, tmp_path / "results")
    assert json.loads((tmp_path / "results" / "chaos.json").read_text())["seed"] == 1
    assert {file.name for file in (tmp_path / "results").iterdir()} == {"chaos.md", "chaos.json", "chaos.svg"}
