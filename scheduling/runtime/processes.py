"""Handlers in processes of their own: spawned, never forked, kept for the next attempt, and killed at a timeout."""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.sharedctypes import RawArray
from threading import Lock
from typing import Any

from scheduling.domain.fire import Attempt, ExecutionState, Reason, Result
from scheduling.domain.job import Job, OnTimeout
from scheduling.runtime.context import Context
from scheduling.runtime.slate import PLACES, Slate

LOOK_SECONDS = 0.2
START_SECONDS = 60.0
"""How long a child may take before its handler begins; longer than any project takes to be set up."""

START_TRIES = 3
"""One that was alive a moment ago may have died."""

SHORT_SECONDS = 0.01
LET_GO = "has closed its line to the scheduler, and was killed"

SHIELDED = (signal.SIGINT, signal.SIGTERM)
"""A terminal or a service manager sends them to all processes; the scheduler says what ends."""

Work = Callable[[Any, Connection], None]
"""What a child does: given the memory of its slate and a pipe, answer each (attempt, handler, instance) by a result."""


class Processes:
    """The children of one instance: at most one for each of its workers.

    `work` runs in a child, and is importable before anything is set up there.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._children: set[Child] = set()
        self._idle: list[Child] = []
        self._lock = Lock()

    def run(self, context: Context, attempt: Attempt, job: Job) -> Result:
        """Run an attempt in a child and return its result, however it ended; its child has ended or is free by then."""
        for _try in range(START_TRIES):
            if result := self._run_in(self._lend(), context, attempt, job):
                return result
        return _died(attempt, "ended before its handler began; the log says why")

    def close(self) -> None:
        """End all children, also those whose handlers still run."""
        with self._lock:
            children = tuple(self._children)
        for child in children:
            child.kill()
        for child in children:
            child.end()

    def _run_in(self, child: "Child", context: Context, attempt: Attempt, job: Job) -> Result | None:
        result = child.run(context, attempt, job)
        if child.is_fit:
            with self._lock:
                self._idle.append(child)
        else:
            child.end()
            with self._lock:
                self._children.discard(child)
        return result

    def _lend(self) -> "Child":
        with self._lock:
            while self._idle:
                if (child := self._idle.pop()).is_alive():
                    return child
                self._children.discard(child)
            child = Child(self._work)
            self._children.add(child)
            return child


class Child:
    """One process that runs one attempt after another, until one ends badly: then it is not `is_fit` for the next."""

    def __init__(self, work: Work) -> None:
        memory = RawArray(ctypes.c_longlong, PLACES)
        self._slate = Slate(memory)
        # Never forked: the registry's threads and locks must not come along.
        spawn = get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=work, args=(memory, theirs))
        with _shielded():
            self._process.start()
        theirs.close()
        self.is_fit = True

    def run(self, context: Context, attempt: Attempt, job: Job) -> Result | None:
        """Run an attempt; None if the process has ended before its handler began."""
        self._slate.wipe()
        watch = _Watch(self._slate, context, job)
        try:
            self._pipe.send((attempt, job.handler, context.instance))
            while self._goes_on():
                watch.carry()
                if watch.is_over():
                    return self._killed(attempt, job)
            if not self._pipe.poll():
                return self._died(attempt)
            result: Result = self._pipe.recv()
        except (EOFError, OSError):
            return self._died(attempt)
        self.is_fit = result.reason is not Reason.PROCESS_DIED and result.attempt == attempt
        return result if result.attempt == attempt else _died(attempt, "answered for another attempt")

    def _goes_on(self) -> bool:
        """Wait a little; return whether there is neither an answer nor an end."""
        # Also asked for its end: copies of it that its handler has forked keep both pipes open.
        return not wait([self._pipe, self._process.sentinel], LOOK_SECONDS) and self._process.is_alive()

    def is_alive(self) -> bool:
        """Is there still a process?"""
        return self._process.is_alive()

    def kill(self) -> None:
        """Kill the process, and what its handler has started there."""
        self._process.kill()
        if pid := self._slate.pid():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill the process, and wait until it has ended."""
        self.kill()
        self._process.join()

    def _killed(self, attempt: Attempt, job: Job) -> Result:
        self.is_fit = False
        if self._slate.has_begun():
            return _killed(attempt, job)
        return _died(attempt, f"was killed: its handler had not begun after {START_SECONDS:g} s")

    def _died(self, attempt: Attempt) -> Result | None:
        self.is_fit = False
        how = _how(self._process.exitcode) if self._ends_within(LOOK_SECONDS) else LET_GO
        return _died(attempt, how) if self._slate.has_begun() else None

    def _ends_within(self, seconds: float) -> bool:
        # Not join: whether the pipe that it waits for is closed says nothing, either.
        until = time.monotonic() + seconds
        while self._process.is_alive():
            if time.monotonic() > until:
                return False
            time.sleep(SHORT_SECONDS)
        return True


@contextlib.contextmanager
def _shielded() -> Iterator[None]:
    """Let no signal that is sent to all processes end one that is being started from this thread: it inherits this.

    Only meanwhile: this thread runs handlers, too, whose programs would inherit it. What starts multiprocessing's own
    helper would end the blocking.
    """
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SHIELDED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Watch:
    """Watches one attempt: carries what is told between its child and the context, and tells when its time is over."""

    def __init__(self, slate: Slate, context: Context, job: Job) -> None:
        self._slate = slate
        self._context = context
        self._seconds = job.timeout if job.timeout and job.on_timeout is OnTimeout.KILL else float("inf")
        self._ends_at = time.monotonic() + START_SECONDS
        self._has_begun = False

    def carry(self) -> None:
        if self._context.cancelled:
            self._slate.cancel()
        if (made := self._slate.progress()) and made[0] <= made[1]:
            self._context.progress(*made)

    def is_over(self) -> bool:
        """Is the time of the handler over, or that of a child to begin it?"""
        now = time.monotonic()
        if not self._has_begun and self._slate.has_begun():
            self._has_begun, self._ends_at = True, now + self._seconds
        return now >= self._ends_at


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"ended with exit status {code} while it ran"
    hint = " (out of memory?)" if code == -signal.SIGKILL else ""
    return f"was ended by {signal_name(-code)}{hint}"


def signal_name(number: int) -> str:
    """Name a signal, also one that Python has no name for, as those for real time."""
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _died(attempt: Attempt, how: str) -> Result:
    return Result(
        attempt=attempt,
        state=ExecutionState.FAILED,
        reason=Reason.PROCESS_DIED,
        message=f"the handler's process {how}",
    )


def _killed(attempt: Attempt, job: Job) -> Result:
    return Result(
        attempt=attempt,
        state=ExecutionState.KILLED,
        reason=Reason.TIMED_OUT,
        message=f"it ran for longer than {job.timeout} s; its process was killed",
    )
