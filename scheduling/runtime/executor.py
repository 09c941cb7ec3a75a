"""The workers: a bounded pool of threads that run handlers, or wait for processes that do; all ends become results."""

import os
import sys
import time
import traceback
from collections.abc import Callable, Set
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Protocol

from scheduling.domain.errors import BadResult
from scheduling.domain.fire import Attempt, ExecutionState, Reason, Result
from scheduling.domain.job import Isolation, Job
from scheduling.runtime.context import Context
from scheduling.runtime.handlers import Handler

DEFAULT_WORKERS = 16
MESSAGE_BYTES = 64 * 1024
"""What is kept of a message or a traceback; its end, where the cause is."""

Enter = Callable[[Callable[[], Result]], Result]
"""Runs a function on a thread as the floor above wants it done."""

Isolate = Callable[[Context, Attempt, Job], Result]
"""Runs an attempt of a job in a process of its own, and returns its result, however it ended."""

Desk = SimpleQueue[tuple[Context, Attempt, Handler, Job]]
"""Where one worker finds what it is given."""


class Workers(Protocol):
    """What runs attempts. All methods are for the scheduling thread."""

    def free(self) -> int:
        """Return how many attempts can be started now."""

    def start(self, context: Context, attempt: Attempt, handler: Handler, job: Job) -> None:
        """Run the handler on a worker of its own; its result will be among those `collect` returns."""

    def running(self) -> dict[int, Attempt]:
        """Return execution → attempt of all that have not been collected."""

    def collect(self) -> list[Result]:
        """Return the results that have come since the last call."""

    def progress(self) -> dict[Attempt, tuple[int, int]]:
        """Return the progress that has changed since the last call."""

    def cancel(self, executions: Set[int] | None = None) -> None:
        """Tell the handlers of these executions, or all that run, that nothing they write counts any more."""


class ThreadWorkers:
    """Workers that are threads of this process. A thread cannot be ended: a handler that hangs keeps its worker.

    All are started at once, as there is no time for that in a failover of many items; raises RuntimeError if the system
    gives fewer. Work goes to the one that is free since last, so that few open a connection where few run at one time.
    """

    def __init__(self, count: int, *, enter: Enter, isolate: Isolate, wake: Callable[[], None]) -> None:
        self._enter = enter
        self._isolate = isolate
        self._wake = wake
        self._results: SimpleQueue[tuple[Desk, Result]] = SimpleQueue()
        self._running: dict[int, tuple[Attempt, Context]] = {}
        self._progress: dict[int, tuple[int, int]] = {}
        self._free: list[Desk] = [SimpleQueue() for _worker in range(count)]
        for number, desk in enumerate(self._free, start=1):
            # A daemon, as the process must be able to end while a handler hangs.
            Thread(target=self._serve, args=(desk,), name=f"worker-{number}", daemon=True).start()

    def free(self) -> int:
        return len(self._free)

    def start(self, context: Context, attempt: Attempt, handler: Handler, job: Job) -> None:
        desk = self._free.pop()
        self._running[attempt.execution] = (attempt, context)
        desk.put((context, attempt, handler, job))

    def running(self) -> dict[int, Attempt]:
        return {execution: attempt for execution, (attempt, _) in self._running.items()}

    def collect(self) -> list[Result]:
        results: list[Result] = []
        while True:
            try:
                desk, result = self._results.get_nowait()
            except Empty:
                return results
            self._free.append(desk)
            self._running.pop(result.attempt.execution, None)
            self._progress.pop(result.attempt.execution, None)
            results.append(result)

    def progress(self) -> dict[Attempt, tuple[int, int]]:
        changed = {}
        for execution, (attempt, context) in self._running.items():
            made = context.progress_made()
            if made is not None and made != self._progress.get(execution):
                changed[attempt] = self._progress[execution] = made
        return changed

    def cancel(self, executions: Set[int] | None = None) -> None:
        for execution, (_, context) in self._running.items():
            if executions is None or execution in executions:
                context.cancel()

    def _serve(self, desk: Desk) -> None:
        # Not a ThreadPoolExecutor: its futures would cost the scheduling thread more than the rest of a start.
        while True:
            self._results.put((desk, self._work(*desk.get())))
            self._wake()

    def _work(self, context: Context, attempt: Attempt, handler: Handler, job: Job) -> Result:
        began = time.monotonic()
        try:
            if job.isolation is Isolation.PROCESS:
                result = self._isolate(context, attempt, job)
            else:
                result = self._enter(lambda: run(context, attempt, handler.function))
        except BaseException as error:
            result = failed(attempt, error)
        return replace(result, took=time.monotonic() - began)


def run(context: Context, attempt: Attempt, function: Callable[[Context], Any]) -> Result:
    """Call the handler and return its result, whatever it raises or returns."""
    context.begin()
    try:
        message = message_of(_call(function, context))
    except BadResult as error:
        return Result(attempt=attempt, state=ExecutionState.FAILED, reason=Reason.BAD_RESULT, message=str(error))
    except BaseException as error:
        return failed(attempt, error)
    return Result(attempt=attempt, state=ExecutionState.SUCCEEDED, message=message)


def _call(function: Callable[[Context], Any], context: Context) -> Any:
    pid = os.getpid()
    try:
        return function(context)
    finally:
        if os.getpid() != pid:
            _end_copy()


def _end_copy() -> None:
    """End this process, which the handler has forked, and which has come back, too: only one may answer, and go on."""
    error = sys.exception()
    if isinstance(error, Exception):
        traceback.print_exception(error)
        sys.stderr.flush()
    code = error.code if isinstance(error, SystemExit) else error and 1
    # At once: connections of the database are the other's, also to be closed.
    os._exit(code & 0xFF if isinstance(code, int) else bool(code))


def message_of(returned: object) -> str:
    """Return what to keep of a handler's return value; raise `BadResult` unless it is a text or None."""
    if returned is None:
        return ""
    if not isinstance(returned, str):
        raise BadResult(returned)
    return storable(returned)


def storable(text: str) -> str:
    """Return the text as every database takes it: no NUL, no lone surrogates, at most 64 kB of UTF-8, the last ones."""
    data = text.replace("\0", "\\0").encode("utf-8", "backslashreplace")
    return data[-MESSAGE_BYTES:].decode("utf-8", "ignore")


def failed(attempt: Attempt, error: BaseException) -> Result:
    """Return the result of an attempt that raised, with the traceback as its message."""
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:
        # Some exceptions cannot be formatted, or shown at all.
        text = f"{type(error).__name__}, of which no traceback can be made"
    return Result(attempt=attempt, state=ExecutionState.FAILED, reason=Reason.RAISED, message=storable(text))
