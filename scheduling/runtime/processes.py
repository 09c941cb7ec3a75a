"""Handlers in processes of their own: spawned, never forked, kept for the next attempt, and killed at a timeout."""

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYet
from multiprocessing import get_context
from pathlib import Path
from threading import Lock

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from scheduling.domain.fire import Attempt, ExecutionState, Reason, Result
from scheduling.domain.job import Job, OnTimeout
from scheduling.runtime.context import Context
from scheduling.runtime.slate import Slate

LOOK_SECONDS = 0.2

Serve = Callable[[Attempt, str, str, str], Result]
"""Runs an attempt in the child: attempt, name of its handler, id of its instance, path of its slate."""


class Processes:
    """The children of one instance: at most one for each of its workers, each in a pool of its own.

    `prepare` and `serve` run in a child, and are importable before anything is set up there.
    """

    def __init__(self, *, prepare: Callable[[], None], serve: Serve) -> None:
        self._prepare = prepare
        self._serve = serve
        self._idle: list[ProcessPool] = []
        self._lock = Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="scheduling-")

    def run(self, context: Context, attempt: Attempt, job: Job) -> Result:
        """Run an attempt in a child and return its result, however it ended; its child has ended or is free by then."""
        pool = self._lend()
        path = str(Path(self._folder.name, f"{attempt.execution}-{attempt.token}"))
        with contextlib.closing(Slate.new(path)) as slate:
            try:
                future = pool.schedule(self._serve, args=(attempt, job.handler, context.instance, path))
                result = _Wait(context, job, slate).result(future)
            except ProcessExpired as error:
                pool.stop()
                return _died(attempt, error.exitcode)
            except _Killed:
                pool.stop()
                return _killed(attempt, job)
            except BaseException:
                pool.stop()
                raise
            finally:
                os.unlink(path)
        self._give_back(pool)
        return result

    def close(self) -> None:
        """End the children that are free."""
        with self._lock:
            idle, self._idle = self._idle, []
        for pool in idle:
            pool.stop()
        self._folder.cleanup()

    def _lend(self) -> ProcessPool:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        # Never forked: the registry's threads and locks must not come along.
        return ProcessPool(max_workers=1, initializer=self._prepare, context=get_context("spawn"))

    def _give_back(self, pool: ProcessPool) -> None:
        with self._lock:
            self._idle.append(pool)


class _Killed(Exception):
    """The child was killed at its attempt's timeout."""


class _Wait:
    """Waits for one child: carries what is told between it and the context, and kills it when its time is over."""

    def __init__(self, context: Context, job: Job, slate: Slate) -> None:
        self._context = context
        self._slate = slate
        self._seconds = job.timeout if job.on_timeout is OnTimeout.KILL else None
        self._kill_at = float("inf")
        self._killed = False

    def result(self, future: "ProcessFuture[Result]") -> Result:
        while True:
            try:
                return future.result(timeout=LOOK_SECONDS)
            except NotYet:
                self._carry()
                self._look_at_time()
            except ProcessExpired as error:
                if self._killed:
                    raise _Killed from error
                raise

    def _carry(self) -> None:
        if self._context.cancelled:
            self._slate.cancel()
        if (made := self._slate.progress()) and made[0] <= made[1]:
            self._context.progress(*made)

    def _look_at_time(self) -> None:
        pid, now = self._slate.pid(), time.monotonic()
        if pid is None or self._seconds is None:
            return
        self._kill_at = min(self._kill_at, now + self._seconds)
        if now >= self._kill_at:
            self._killed = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _died(attempt: Attempt, exitcode: int | None) -> Result:
    how = f"was ended by {signal.Signals(-exitcode).name}" if exitcode and exitcode < 0 else f"ended with {exitcode}"
    hint = " (out of memory?)" if exitcode == -signal.SIGKILL else ""
    return Result(
        attempt=attempt,
        state=ExecutionState.FAILED,
        reason=Reason.PROCESS_DIED,
        message=f"the handler's process {how}{hint}",
    )


def _killed(attempt: Attempt, job: Job) -> Result:
    return Result(
        attempt=attempt,
        state=ExecutionState.KILLED,
        reason=Reason.TIMED_OUT,
        message=f"it ran for longer than {job.timeout} s; its process was killed",
    )
