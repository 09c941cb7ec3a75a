"""Handlers in processes of their own: spawned, never forked, kept for the next attempt, and killed at a timeout."""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import wait
from multiprocessing import get_context, resource_tracker
from multiprocessing.sharedctypes import RawArray
from threading import Lock
from typing import Any

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from scheduling.domain.fire import Attempt, ExecutionState, Reason, Result
from scheduling.domain.job import Job, OnTimeout
from scheduling.runtime.context import Context
from scheduling.runtime.slate import PLACES, Slate

LOOK_SECONDS = 0.2
START_SECONDS = 60.0
"""How long a child may take before its handler begins; longer than any project takes to be set up."""

START_TRIES = 3
"""One that was idle may have died."""

SHIELDED = (signal.SIGINT, signal.SIGTERM)
"""A terminal or a service manager sends them to all processes; the scheduler says what ends."""

Prepare = Callable[[Any], None]
"""Makes a child ready, given the memory of its slate."""

Serve = Callable[[Attempt, str, str], Result]
"""Runs an attempt in the child, given the name of its handler and the id of its instance; raises nothing."""


class Processes:
    """The children of one instance: at most one for each of its workers.

    `prepare` and `serve` run in a child, and are importable before anything is set up there.
    """

    def __init__(self, *, prepare: Prepare, serve: Serve) -> None:
        self._prepare = prepare
        self._serve = serve
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
            if self._idle:
                return self._idle.pop()
            child = Child(self._prepare, self._serve)
            self._children.add(child)
            return child


class Child:
    """One process that runs one attempt after another, until one ends badly: then it is not `is_fit` for the next."""

    def __init__(self, prepare: Prepare, serve: Serve) -> None:
        _shield_children()
        memory = RawArray(ctypes.c_longlong, PLACES)
        self._slate = Slate(memory)
        self._serve = serve
        self._lock = Lock()
        self.is_fit = True
        # Never forked: the registry's threads and locks must not come along. A pool for each child, as those of one
        # pool share a lock that goes with whichever is killed while it holds it.
        self._pool = ProcessPool(1, initializer=prepare, initargs=(memory,), context=get_context("spawn"))

    def run(self, context: Context, attempt: Attempt, job: Job) -> Result | None:
        """Run an attempt; None if the process has ended before its handler began."""
        self._slate.wipe()
        watch = _Watch(self, self._slate, context, job)
        try:
            result = watch.result(self._pool.schedule(self._serve, args=(attempt, job.handler, context.instance)))
            self.is_fit = not watch.has_killed and result.reason is not Reason.PROCESS_DIED
            return result
        except Exception as error:
            self.is_fit = False
            if watch.has_killed:
                return _killed(attempt, job) if self._slate.has_begun() else _died(attempt, _never_began())
            return _died(attempt, _how(error)) if self._slate.has_begun() else None

    def is_there(self) -> bool:
        """May the process still bring a result?"""
        pid = self._slate.pid()
        return self._pool.active and (pid is None or _exists(pid))

    def kill(self) -> None:
        """Kill the process, and what its handler has started there."""
        self._pool.stop()  # so that none takes its place
        if pid := self._slate.pid():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill the process, and wait until it has ended."""
        with self._lock:
            self.kill()
            self._pool.join()


def _shield_children() -> None:
    """Let no signal that is sent to all processes end one that is being started from this thread: it inherits this.

    The main thread takes the signals of this process. What starts the tracker of semaphores would end the blocking.
    """
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, SHIELDED)


class _Watch:
    """Watches one attempt: carries what is told between its child and the context, and kills it at its timeout."""

    def __init__(self, child: Child, slate: Slate, context: Context, job: Job) -> None:
        self._child = child
        self._slate = slate
        self._context = context
        self._seconds = job.timeout if job.timeout and job.on_timeout is OnTimeout.KILL else float("inf")
        self._ends_at = time.monotonic() + START_SECONDS
        self._has_begun = False
        self._is_gone = False
        self.has_killed = False

    def result(self, future: "ProcessFuture[Result]") -> Result:
        """Return what the child returns; raise what tells how it ended."""
        while not wait([future], LOOK_SECONDS).done:
            self._carry()
            self._look_at_time()
            self._look_for_child()
        return future.result()

    def _carry(self) -> None:
        if self._context.cancelled:
            self._slate.cancel()
        if (made := self._slate.progress()) and made[0] <= made[1]:
            self._context.progress(*made)

    def _look_at_time(self) -> None:
        now = time.monotonic()
        if not self._has_begun and self._slate.has_begun():
            self._has_begun, self._ends_at = True, now + self._seconds
        if now >= self._ends_at:
            self.has_killed = True
            self._child.kill()
            raise ProcessExpired("killed")

    def _look_for_child(self) -> None:
        """Raise `ProcessExpired` for a child whose end the pool has missed, as if it would still bring a result."""
        if self._is_gone:
            raise ProcessExpired("gone", code=0)
        self._is_gone = not self._child.is_there()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _how(error: Exception) -> str:
    code = error.exitcode if isinstance(error, ProcessExpired) else None
    if code is None:
        return f"was lost: {error!r}"
    if code >= 0:
        return f"ended with exit status {code} while it ran"
    hint = " (out of memory?)" if code == -signal.SIGKILL else ""
    return f"was ended by {signal.Signals(-code).name}{hint}"


def _never_began() -> str:
    return f"was killed: its handler had not begun after {START_SECONDS:g} s"


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
