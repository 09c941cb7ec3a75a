"""Handlers in processes of their own, without Django: how their ends are noticed, whatever they leave behind."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import replace
from multiprocessing.connection import Connection

import pytest

from scheduling.domain.fire import ExecutionState, Reason
from scheduling.domain.job import Isolation
from scheduling.management.child import prepare
from scheduling.runtime.executor import run
from scheduling.runtime.processes import SHIELDED, START_TRIES, Child, Processes
from scheduling.runtime.slate import Slate
from scheduling.tests.runtime.test_executor import JOB, attempt, context

pytestmark = pytest.mark.acceptance

pipes: list[Connection] = []
"""A child's way to the scheduler."""


def work(memory, pipe):
    """Do as children do, with the functions of this module for handlers."""
    prepare(memory)
    pipes.append(pipe)
    with contextlib.suppress(EOFError):
        while True:
            given, handler, _instance = pipe.recv()
            Slate(memory).begin()
            pipe.send(run(context(given), given, globals()[handler]))


def pid_of(context):
    return str(os.getpid())


def die_with_a_forked_child(context):
    if os.fork() == 0:
        time.sleep(30)
    os.kill(os.getpid(), signal.SIGKILL)


def die_with_a_daemon(context):
    if os.fork() == 0:
        os.setsid()
        time.sleep(20)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def start_a_program(context):
    # It inherits what it may; that is seen from its own side.
    seen = subprocess.run(["ls", "/proc/self/fd"], close_fds=False, capture_output=True, text=True, check=True)
    return seen.stdout


def close_its_pipe(context):
    os.close(pipes[0].fileno())
    time.sleep(30)


@pytest.fixture
def processes():
    lent = Processes(work)
    yield lent
    lent.close()


def job(function, **fields):
    return replace(JOB, handler=function.__name__, isolation=Isolation.PROCESS, **fields)


def ended(processes, function, **fields):
    """Return the result of a handler, in time."""
    results = []
    thread = threading.Thread(
        target=lambda: results.append(processes.run(context(attempt()), attempt(), job(function, **fields))),
        daemon=True,
    )
    thread.start()
    thread.join(15)
    assert results, "nothing came"
    return results[0]


@pytest.mark.parametrize("function", [die_with_a_forked_child, die_with_a_daemon])
def test_a_death_is_noticed_though_something_forked_goes_on(processes, function):
    result = ended(processes, function)
    assert (result.state, result.reason) == (ExecutionState.FAILED, Reason.PROCESS_DIED)
    assert result.message == "the handler's process was ended by SIGKILL (out of memory?)"


def test_programs_inherit_nothing_that_tells_of_the_end(processes):
    # Its standard streams, and the folder that it reads.
    assert ended(processes, start_a_program).message.split() == ["0", "1", "2", "3"]


def test_a_child_that_has_closed_its_pipe_is_killed(processes):
    result = ended(processes, close_its_pipe)
    assert result.reason is Reason.PROCESS_DIED
    assert result.message == "the handler's process had closed its pipe, and was killed"
    assert ended(processes, pid_of).state is ExecutionState.SUCCEEDED


def test_a_thread_that_has_started_a_child_lets_later_programs_be_ended_by_signals(processes):
    processes.run(context(attempt()), attempt(), job(pid_of))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()).isdisjoint(SHIELDED)


def test_any_number_of_children_that_died_while_idle_spoil_no_attempt(processes):
    together = threading.Barrier(START_TRIES + 1)
    pids = []

    def one():
        together.wait(10)
        pids.append(int(ended(processes, linger).message))

    threads = [threading.Thread(target=one) for _ in range(START_TRIES + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(pids)) == START_TRIES + 1
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended(processes, pid_of).state is ExecutionState.SUCCEEDED


def linger(context):
    time.sleep(3)
    return str(os.getpid())


def test_nothing_is_started_once_they_are_closed(processes):
    processes.close()
    result = ended(processes, pid_of)
    assert result.message == "the handler's process was not started, as the scheduler ends"


def test_a_child_that_was_being_started_when_they_were_closed_is_ended(processes, monkeypatch):
    started = []

    class Late(Child):
        def __init__(self, work):
            super().__init__(work)
            started.append(self)
            processes.close()

    monkeypatch.setattr("scheduling.runtime.processes.Child", Late)
    assert "was not started" in ended(processes, pid_of).message
    assert [child.is_alive() for child in started] == [False]
