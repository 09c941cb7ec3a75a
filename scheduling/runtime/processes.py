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

END_SECONDS = 1.0
"""How long a child may take to end after its pipe; one that does not has closed it, and nobody can hear of it."""

START_TRIES = 3
"""One may die while it is given its attempt."""

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
        self._is_closed = False
        self._lock = Lock()

    def run(self, context: Context, attempt: Attempt, job: Job) -> Result:
        """Run an attempt in a child and return its result, however it ended; its child has ended or is free by then."""
        for _try in range(START_TRIES):
            child = self._lend()
            if child is None:
                return _process_died(attempt, "was not started, as the scheduler ends")
            if result := self._run_in(child, context, attempt, job):
                return result
        return _process_died(attempt, "ended before its handler began; the log says why")

    def close(self) -> None:
        """End all children, also those whose handlers still run, and start no other."""
        with self._lock:
            self._is_closed = True
            children = tuple(self._children)
        for child in children:
            child.kill()
        for child in children:
            child.end()

    def _run_in(self, child: "Child", context: Context, attempt: Attempt, job: Job) -> Result | None:
        try:
            return child.run(context, attempt, job)
        finally:
            if child.is_fit:
                with self._lock:
                    self._idle.append(child)
            else:
                self._drop(child)

    def _lend(self) -> "Child | None":
        while child := self._take_idle():
            if child.is_alive():
                return child
            self._drop(child)
        return None if self._is_closed else self._spawn()

    def _take_idle(self) -> "Child | None":
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _spawn(self) -> "Child | None":
        # Not under the lock, which all others would wait for.
        child = Child(self._work)
        with self._lock:
            if not self._is_closed:
                self._children.add(child)
                return child
        child.end()
        return None

    def _drop(self, child: "Child") -> None:
        child.end()
        with self._lock:
            self._children.discard(child)


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
        self.is_fit = False
        self._slate.wipe()
        watch = _Watch(self._slate, context, job)
        try:
            self._pipe.send((attempt, job.handler, context.instance))
            # What the handler has forked holds pipe and sentinel open, so its end is looked for as well.
            while not wait([self._pipe, self._process.sentinel], LOOK_SECONDS) and self.is_alive():
                watch.carry()
                if watch.is_over():
                    return _timed_out(attempt, job) if watch.has_begun else _not_begun(attempt)
            if not self._pipe.poll():
                return self._died(attempt)
            result: Result = self._pipe.recv()
        except (EOFError, OSError):
            return self._died(attempt)
        if result.attempt != attempt:
            return _process_died(attempt, "answered for another attempt")
        self.is_fit = result.reason is not Reason.PROCESS_DIED
        return result

    def is_alive(self) -> bool:
        """Has the process not ended, whatever of its handlers' goes on?"""
        return self._process.exitcode is None

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

    def _died(self, attempt: Attempt) -> Result | None:
        how = _how(self._process.exitcode) if self._ends_within(END_SECONDS) else "had closed its pipe, and was killed"
        return _process_died(attempt, how) if self._slate.has_begun() else None

    def _ends_within(self, seconds: float) -> bool:
        # Not by `join`: it takes a closed sentinel for the end, and then waits without a deadline.
        until = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
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
        # The programs that a later handler starts from this thread inherit the mask, too.
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Watch:
    """Watches one attempt: carries what is told between its child and the context, and tells when its time is over."""

    def __init__(self, slate: Slate, context: Context, job: Job) -> None:
        self._slate = slate
        self._context = context
        self._seconds = job.timeout if job.timeout and job.on_timeout is OnTimeout.KILL else float("inf")
        self._ends_at = time.monotonic() + START_SECONDS
        self.has_begun = False

    def carry(self) -> None:
        if self._context.cancelled:
            self._slate.cancel()
        if (made := self._slate.progress()) and made[0] <= made[1]:
            self._context.progress(*made)

    def is_over(self) -> bool:
        """Is the time of the handler over, or that of a child to begin it?"""
        now = time.monotonic()
        if not self.has_begun and self._slate.has_begun():
            self.has_begun, self._ends_at = True, now + self._seconds
            self._context.begin()
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


def _process_died(attempt: Attempt, how: str) -> Result:
    return Result(
        attempt=attempt,
        state=ExecutionState.FAILED,
        reason=Reason.PROCESS_DIED,
        message=f"the handler's process {how}",
    )


def _not_begun(attempt: Attempt) -> Result:
    return _process_died(attempt, f"was killed: its handler had not begun after {START_SECONDS:g} s")


def _timed_out(attempt: Attempt, job: Job) -> Result:
    return Result(
        attempt=attempt,
        state=ExecutionState.KILLED,
        reason=Reason.TIMED_OUT,
        message=f"it ran for longer than {job.timeout} s; its process was killed",
    )
