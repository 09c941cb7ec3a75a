"""Handlers in processes of their own, with whatever can end a process: a failed attempt, and nothing else."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.acceptance.site import eventually
from tests.acceptance.site import site as lend_site

pytestmark = [pytest.mark.acceptance, pytest.mark.mariadb]


@pytest.fixture
def site(tmp_path):
    with lend_site(tmp_path, settings="isolated_settings") as lent:
        lent.env["TMPDIR"] = str(tmp_path / "temporary")
        (tmp_path / "temporary").mkdir()
        yield lent


def run(site, job, *, ended=True, timeout=40):
    """Run a job by hand and return (state, reason, attempts, message) of its items once they have ended."""
    site.request(job, key=time.time_ns())

    def rows():
        rows = [(state, reason, n, text) for _, state, reason, n, _, text in site.executions(job)]
        return rows if {"pending", "running", "waiting"}.isdisjoint(row[0] for row in rows) == ended and rows else None

    return eventually(rows, timeout, f"{job} has ended")


def told(site, word):
    """Return what handlers have told: the numbers after a word."""
    file = site.journal.with_name("told")
    lines = [line.split() for line in (file.read_text().splitlines() if file.exists() else [])]
    return [tuple(map(int, rest)) for first, *rest in lines if first == word]


def children(pid):
    """Return the processes that descend from one."""
    found = [int(word) for task in Path(f"/proc/{pid}/task").glob("*/children") for word in task.read_text().split()]
    return found + [grandchild for child in found for grandchild in children(child)]


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def temporary_files(site):
    return list(Path(site.env["TMPDIR"]).iterdir())


def drain(scheduler):
    """Let a scheduler end, which leaves no process behind."""
    family = children(scheduler.pid)
    scheduler.signal(signal.SIGTERM)
    assert scheduler.wait(30) == 0
    eventually(lambda: not any(map(is_alive, family)), 2, "no child is left")


def test_a_handler_in_a_process_returns_a_text_and_its_process_is_used_again(site):
    scheduler = site.scheduler()
    first, second = run(site, "isolated-text"), run(site, "isolated-text")[2:]
    assert {row[:3] for row in first + second} == {("succeeded", "", 1)}
    pids = [row[3].split()[0] for row in first], [row[3].split()[0] for row in second]
    assert sorted(pids[0]) == sorted(pids[1])
    assert str(scheduler.pid) not in pids[0]
    assert len(set(pids[0])) == 2
    ((*_, message), _) = first
    assert "学" in message
    drain(scheduler)


def test_what_a_handler_raises_crosses_as_text_whatever_it_is(site):
    site.scheduler()
    plain, untold = run(site, "isolated-raise")
    assert plain[:3] == untold[:3] == ("failed", "raised", 1)
    assert plain[3].startswith("Traceback")
    assert "ValueError: from a process: 失败" in plain[3]
    assert "in fail" in plain[3]
    assert "Untold" in untold[3]


def test_progress_and_cancelling_cross_and_a_timeout_waits_for_the_handler_to_return(site):
    scheduler = site.scheduler()
    (row,) = run(site, "isolated-cancelled")
    assert row == ("failed", "timed_out", 1, "it ran for longer than 6 s; its handler was told to stop")
    assert site.rows("SELECT progress_done, progress_total FROM scheduling_execution") == [(3, 10)]
    eventually(lambda: told(site, "stopped") == [(1,)], 10, "the handler has seen it")
    held = "SELECT COUNT(*) FROM scheduling_item WHERE execution_id IS NOT NULL"
    eventually(lambda: site.rows(held) == [(0,)], 10, "its item is free")
    drain(scheduler)


def test_a_handler_in_a_process_writes_through_the_fence(site):
    site.scheduler()
    assert run(site, "isolated-once") == [("succeeded", "", 1, "None")]
    assert sorted(site.rows("SELECT name FROM auth_group")) == [("atomic",), ("once",)]


def test_whatever_ends_a_process_is_a_failed_attempt_that_touches_no_other(site):
    scheduler = site.scheduler()
    rows = run(site, "isolated-dies")
    assert {row[:3] for row in rows[:5]} == {("failed", "process_died", 1)}
    killed, faulted, left, left_quietly, out_of_memory, other = [row[3] for row in rows]
    assert killed == "the handler's process was ended by SIGKILL (out of memory?)"
    assert faulted == "the handler's process was ended by SIGSEGV"
    assert left == "the handler's process ended with exit status 3 while it ran"
    assert left_quietly == "the handler's process ended with exit status 0 while it ran"
    assert out_of_memory.rstrip().endswith("MemoryError")
    assert rows[5][:3] == ("succeeded", "", 1)
    assert other == "went on"
    for _ in range(2):  # as often as one likes
        assert [row[0] for row in run(site, "isolated-dies")[-6:]] == ["failed"] * 5 + ["succeeded"]
    assert run(site, "isolated-text")[0][0] == "succeeded"
    drain(scheduler)
    assert temporary_files(site) == []


def test_a_process_that_died_while_it_was_idle_spoils_no_attempt(site):
    scheduler = site.scheduler("--workers", "1")
    for _ in range(3):
        rows = run(site, "isolated-text")
        assert {row[0] for row in rows} == {"succeeded"}
        os.kill(int(rows[-1][3].split()[0]), signal.SIGKILL)
    rows = run(site, "isolated-text")
    assert {row[0] for row in rows} == {"succeeded"}
    drain(scheduler)


def test_at_its_timeout_a_process_is_killed_with_all_it_started_and_tried_again(site):
    scheduler = site.scheduler()
    (waiting,) = run(site, "isolated-hangs", ended=False)
    (row,) = eventually(lambda: [r for r in run_rows(site) if r[0] == "killed"], 40, "it was killed twice")
    assert waiting[0] in ("pending", "running", "waiting")
    assert row == ("killed", "timed_out", 2, "it ran for longer than 2 s; its process was killed")
    pids = told(site, "hangs")
    assert len(pids) == 2
    eventually(lambda: not any(is_alive(pid) for pair in pids for pid in pair), 5, "all are gone")
    fires = "SELECT state FROM scheduling_fire WHERE kind = 'manual'"
    eventually(lambda: site.rows(fires) == [("failed",)], 30, "the fire is settled")
    drain(scheduler)


def run_rows(site):
    return [(state, reason, n, text) for _, state, reason, n, _, text in site.executions("isolated-hangs")]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_its_scheduler_whatever_it_computes(site, number):
    scheduler = site.scheduler()
    site.request("isolated-text", key=1)
    site.request("isolated-computes", key=2)
    eventually(lambda: len(told(site, "computes")) == 2, 30, "both compute")
    family = children(scheduler.pid)
    assert {pid for pair in told(site, "computes") for pid in pair} <= set(family)
    scheduler.signal(number)
    if number == signal.SIGTERM:
        time.sleep(1)
        assert all(is_alive(pid) for pair in told(site, "computes") for pid in pair)
        scheduler.signal(number)
    scheduler.wait(10)
    eventually(lambda: not any(map(is_alive, family)), 2, "no child is left")
    assert temporary_files(site) == []


def test_a_signal_to_all_lets_handlers_in_processes_end(site):
    scheduler = site.scheduler()
    site.request("isolated-dies", key=1)
    eventually(
        lambda: site.executions("isolated-dies")[5:6] and site.executions("isolated-dies")[5][1] == "running",
        30,
        "it runs",
    )
    working = scheduler.working_pid
    for pid in [*children(working), working, scheduler.pid]:
        os.kill(pid, signal.SIGTERM)
    assert scheduler.wait(40) == 0
    assert site.executions("isolated-dies")[5][1:3] == ("succeeded", "")


def test_a_process_that_cannot_be_set_up_is_a_failed_attempt_that_says_why(site):
    site.env["PROBE_BREAKS_CHILDREN"] = "yes"
    scheduler = site.scheduler()
    rows = run(site, "isolated-text")
    assert {row[:3] for row in rows} == {("failed", "process_died", 1)}
    assert "ImportError: the probe breaks the set-up of children, as it should" in rows[0][3]
    drain(scheduler)


def test_many_at_once_share_a_few_processes(site):
    scheduler = site.scheduler("--workers", "8")
    rows = run(site, "isolated-many", timeout=90)
    assert {row[0] for row in rows} == {"succeeded"}
    assert 1 < len({row[3] for row in rows}) <= 8
    drain(scheduler)


def test_a_worker_that_has_started_a_process_lets_the_programs_of_other_handlers_be_ended(site):
    scheduler = site.scheduler("--workers", "1")
    run(site, "isolated-text")
    assert run(site, "threaded-program") == [("succeeded", "", 1, "ended with -15")]
    drain(scheduler)


def test_a_copy_that_a_handler_has_forked_answers_for_nobody(site):
    scheduler = site.scheduler("--workers", "2")
    for _ in range(2):
        rows = run(site, "isolated-forks")
        assert {(row[0], row[3]) for row in rows} == {("succeeded", "from the process")}
    assert {row[0] for row in run(site, "isolated-text")} == {"succeeded"}
    drain(scheduler)


def test_the_end_of_a_process_is_seen_although_its_copies_go_on_or_its_files_are_closed(site):
    scheduler = site.scheduler()
    rows = run(site, "isolated-leaves")
    assert {row[:3] for row in rows} == {("failed", "process_died", 1)}
    assert [row[3] for row in rows[:2]] == ["the handler's process was ended by SIGABRT"] * 2
    assert rows[2][3] == "the handler's process had closed its pipe, and was killed"
    for (pid,) in told(site, "left"):  # it has left the group of its process
        os.kill(pid, signal.SIGKILL)
    drain(scheduler)


def test_many_processes_that_died_while_they_were_idle_spoil_no_attempt(site):
    scheduler = site.scheduler("--workers", "5")
    run(site, "isolated-many", timeout=90)
    pids = {int(row[3]) for row in run(site, "isolated-many", timeout=90)}
    assert len(pids) > 3
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert {row[0] for row in run(site, "isolated-text")} == {"succeeded"}
    drain(scheduler)


def test_a_signal_without_a_name_ends_a_process_like_any_other(site):
    scheduler = site.scheduler()
    (row,) = run(site, "isolated-unnamed")
    assert row == ("failed", "process_died", 1, "the handler's process was ended by signal 35")
    drain(scheduler)


def test_a_copy_that_a_handler_on_a_thread_has_forked_goes_no_further_than_the_handler(site):
    scheduler = site.scheduler()
    site.request("threaded-forks", key=1)
    ((pid, status),) = eventually(lambda: told(site, "forked"), 20, "the copy has ended")
    assert os.waitstatus_to_exitcode(status) == 5
    assert not is_alive(pid)
    eventually(lambda: site.executions("threaded-forks")[0][1] == "succeeded", 10, "it has succeeded")
    drain(scheduler)
