"""The supervisor: notices at once when its working process dies, tells the others, and starts the next one.

It does little, so that little can end it: no Django thread, no connection and no handler, as long as the other lives.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from django.db import connection

from scheduling.checks import registry_url
from scheduling.database.ledger import DatabaseLedger
from scheduling.database.threads import on_ledger_thread
from scheduling.management.descendants import adopt_orphans, children, end_all
from scheduling.management.lifeline import Registered, SupervisorsEnd
from scheduling.management.working import EXIT_LEFT_BEHIND, FROM_SUPERVISOR, registry_at
from scheduling.runtime.identity import SUPERVISOR
from scheduling.runtime.processes import signal_name

logger = logging.getLogger("scheduling.supervisor")

DRAINED = 0
COULD_NOT_START = 1
WRONG_USAGE = 2
LEFT_BEHIND = 3
UNKNOWN = 255
"""For a process whose end somebody else has been told of."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
END_SECONDS = 10.0
ANSWER_SECONDS = 10.0


def is_over(code: int, *, asked: bool, registered: bool, before: bool, drained: bool) -> bool:
    """Is no other working process to be started? Python's code for a crash is the one for "could not start", too.

    So one that could not start ends it all only where none was registered `before`: later it is trouble that passes.
    A handler may end the process with any code, so that it has drained is what it has said, not how it ended.
    """
    could_not_start = code == WRONG_USAGE or (code == COULD_NOT_START and not before)
    return asked or drained or (could_not_start and not registered)


def next_pause(previous: float | None, ran: float) -> float:
    """Return the seconds until the next start after one that ran for `ran` seconds."""
    if previous is None or ran >= STEADY_SECONDS:
        return FIRST_PAUSE
    return min(2 * previous, LONGEST_PAUSE)


def exit_code(code: int, *, asked: bool, registered: bool, drained: bool) -> int:
    """Return what the supervisor exits with, for what `os.waitstatus_to_exitcode` says of its working process."""
    if code == DRAINED and registered and not drained:
        return LEFT_BEHIND
    if asked and code < 0 and not registered:
        return DRAINED  # the signal met it before it had begun: nothing is left behind
    return code if code >= 0 else 128 - code


def ending(code: int) -> str:
    """Say how a process ended."""
    return f"was ended by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"


class WorkingProcess:
    """One process that works, in a group of its own; `on_end` is called with its exit code, on a foreign thread."""

    def __init__(self, command: Sequence[str], on_end: Callable[[int], None]) -> None:
        self.lifeline = SupervisorsEnd()
        self._on_end = on_end
        descriptor = self.lifeline.other.fileno()
        try:
            self._process = subprocess.Popen(
                [*command, "--supervised", str(descriptor)],
                stdin=subprocess.DEVNULL,
                pass_fds=[descriptor],
                process_group=0,
            )
        except OSError:
            self.lifeline.close(0)
            raise
        self.pid = self._process.pid
        self.lifeline.listen()
        threading.Thread(target=self._await_end, name="waiter", daemon=True).start()

    def signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _await_end(self) -> None:
        pid, status = 0, 0
        try:
            while pid != self.pid:  # others are orphans of its
                pid, status = os.waitpid(-1, 0)
            self._process.returncode = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            self._process.returncode = UNKNOWN
        self._on_end(self._process.returncode)


class Supervisor:
    """Runs `command` as a working process, again and again until it is asked to end."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._events: SimpleQueue[signal.Signals | int] = SimpleQueue()  # signals, and exit codes
        self._asked = False
        self._pause: float | None = None
        self._one_was_registered = False
        self._spared: frozenset[int] = frozenset()

    def run(self) -> int:
        """Run until the work is over, and return the exit code."""
        # Whoever started this may have it ignored: then no process's end could be waited for.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        adopt_orphans()
        self._spared = children()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _frame: self._events.put(signal.Signals(number)))
        while True:
            began = time.monotonic()
            code = self._work()
            if code is not None:
                return code
            self._pause = next_pause(self._pause, time.monotonic() - began)
            logger.info("the next working process starts in %.0f s", self._pause)
            if self._is_asked_within(self._pause):
                return DRAINED

    def _work(self) -> int | None:
        """Run one working process; return its exit code, or None if another one has to follow."""
        try:
            working = WorkingProcess(self._command, self._events.put)
        except OSError as error:
            logger.error("no working process could be started: %s", error)
            return None
        logger.info("pid %s supervises the working process, pid %s", os.getpid(), working.pid)
        code = self._await_end(working)
        return self._conclude(working, code)

    def _await_end(self, working: WorkingProcess) -> int:
        while isinstance(event := self._events.get(), signal.Signals):
            self._asked = True
            working.signal(FROM_SUPERVISOR)
        return event

    def _conclude(self, working: WorkingProcess, code: int) -> int | None:
        if code == DRAINED:
            working.lifeline.hear_out(END_SECONDS)
            if working.lifeline.drained:
                working.lifeline.close(0)
                return code
        ended = end_all(working.pid, self._spared, END_SECONDS)
        working.lifeline.close(END_SECONDS)
        registered = working.lifeline.registered
        known = {"asked": self._asked, "registered": registered is not None, "drained": working.lifeline.drained}
        over = is_over(code, before=self._one_was_registered, **known)
        if registered:
            self._one_was_registered = True
            level = logging.WARNING if self._asked else logging.ERROR
            died = "instance %s: its working process, pid %s, %s"
            logger.log(level, died, registered.instance, working.pid, ending(code))
            left = working.lifeline.hung or (self._asked and code == EXIT_LEFT_BEHIND)
            self._report(registered, ended, registered.instance if left else SUPERVISOR)
        elif not over:
            logger.error("the working process, pid %s, %s before it was registered", working.pid, ending(code))
        return exit_code(code, **known) if over else None

    def _report(self, registered: Registered, ended: bool, by: str) -> None:
        if ended:
            report_death(registered, by)
        else:
            logger.error("instance %s: something it started goes on, so its death is not declared", registered.instance)

    def _is_asked_within(self, seconds: float) -> bool:
        with contextlib.suppress(Empty):
            self._events.get(timeout=seconds)
            return True
        return False


def report_death(registered: Registered, by: str) -> None:
    """Write the death into the ledger, then end the session, so that others take over at once.

    One that was asked to end, and left some behind, has declared it `by` itself: what it ran did not kill it.

    Nothing of the instance may be running any more. What cannot be told now, the others find out: its session ends.
    """
    began = time.monotonic()
    id = registered.instance
    if not _done(id, "write its death into the ledger", lambda: DatabaseLedger().die(id, by=by)):
        return
    if not registered.session_key:
        logger.warning("instance %s: its session had no connection, and is left to time out", id)
    elif _done(id, "end its session", lambda: _end_session(registered.session_key)):
        milliseconds = (time.monotonic() - began) * 1000
        logger.info("instance %s: its death is declared, and its session ended, in %.0f ms", id, milliseconds)


def _end_session(key: str) -> None:
    registry_at(registry_url(), wake=lambda: None).end_session(key)


def _done(id: str, what: str, act: Callable[[], object]) -> bool:
    """Do it on a thread of its own, which is left alone if no answer comes; return whether one came."""
    problems = ["no answer came"]

    def attempt() -> None:
        try:
            on_ledger_thread(act)
            problems.clear()
        except Exception as error:
            problems[:] = [str(error) or type(error).__name__]
        finally:
            connection.close()

    thread = threading.Thread(target=attempt, name="report", daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    for problem in problems:
        logger.warning("instance %s: could not %s, and leaves that to the others: %s", id, what, problem)
    return not problems


def is_program(name: str) -> bool:
    """Is this process `manage.py <name>`, so that it may start itself a second time?"""
    return sys.argv[1:2] == [name]


def own_command() -> list[str]:
    """Return the command line that this process was started by."""
    return [sys.executable, *sys.orig_argv[1:]]
