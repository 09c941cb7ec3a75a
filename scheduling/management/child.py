"""The other side of `scheduling.runtime.processes`: a child that sets Django up, and runs one attempt after another.

Importable before Django is set up: what needs it is imported by the functions that run afterwards.
"""

import contextlib
import ctypes
import faulthandler
import fcntl
import functools
import logging
import multiprocessing
import os
import signal
import threading
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import django

from scheduling.domain.fire import Attempt, Reason, Result
from scheduling.ports.ledger import Fence
from scheduling.runtime.context import Context
from scheduling.runtime.executor import failed, run
from scheduling.runtime.handlers import HANDLERS
from scheduling.runtime.processes import SHIELDED
from scheduling.runtime.slate import Slate

_slates: list[Slate] = []
"""This child's slate: shared memory crosses only while a process is made, not with an attempt."""


def work(memory: "ctypes.Array[ctypes.c_longlong]", pipe: Connection) -> None:
    """Run one attempt after another, until the scheduler wants no more."""
    prepare(memory)
    with contextlib.suppress(EOFError):
        while True:
            pipe.send(serve(*pipe.recv()))


def prepare(memory: "ctypes.Array[ctypes.c_longlong]") -> None:
    """Lead a process group that ends with the scheduler, and by its word alone."""
    os.setsid()
    _keep_from_programs()
    for number in SHIELDED:
        # Neither ignored nor blocked: a handler's programs would inherit that.
        signal.signal(number, _let_pass)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SHIELDED)
    _end_with_scheduler()
    faulthandler.enable()
    _slates.append(Slate(memory))
    _slates[0].sign(os.getpid())


def serve(attempt: Attempt, handler: str, instance: str) -> Result:
    """Run one attempt and return its result."""
    try:
        _set_up()
    except BaseException as error:
        untold = failed(attempt, error)
        return replace(untold, reason=Reason.PROCESS_DIED, message=f"{untold.message}(in its set-up)")
    try:
        return _run(attempt, handler, instance)
    except BaseException as error:
        return failed(attempt, error)


class IsolatedContext(Context):
    """The context of a handler whose scheduler is another process."""

    def __init__(self, attempt: Attempt, fence: Fence, *, instance: str, slate: Slate) -> None:
        super().__init__(attempt, fence, instance=instance)
        self._slate = slate
        self._is_over = False

    @property
    def cancelled(self) -> bool:
        return self._is_over or self._slate.is_cancelled()

    def progress(self, done: int, total: int) -> None:
        super().progress(done, total)
        if not self._is_over:
            self._slate.report(done, total)

    def end(self) -> None:
        """Let a thread that the handler left behind write nothing into the next attempt's slate."""
        self._is_over = True


@functools.cache
def _set_up() -> None:
    django.setup()
    from django.conf import settings

    if not settings.LOGGING:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _run(attempt: Attempt, handler: str, instance: str) -> Result:
    from scheduling.database.fence import DatabaseFence
    from scheduling.database.threads import on_worker_thread

    context = IsolatedContext(attempt, DatabaseFence(), instance=instance, slate=_slates[0])
    function, out_of_memory = HANDLERS[handler].function, []

    def call(context: Context) -> Any:
        _slates[0].begin()
        try:
            return function(context)
        except MemoryError:
            out_of_memory.append(True)
            raise

    try:
        result = on_worker_thread(lambda: run(context, attempt, call))
    finally:
        context.end()
    # What has once run out of memory is not used again, as if the system had killed it for that.
    return replace(result, reason=Reason.PROCESS_DIED) if out_of_memory else result


def _keep_from_programs() -> None:
    """Let what a handler starts inherit nothing of what tells the scheduler that this process has ended."""
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):  # the one by which this is read is closed by now
            if int(name) > 2:
                os.set_inheritable(int(name), False)


def _let_pass(_number: int, _frame: object) -> None:
    pass


def _end_with_scheduler() -> None:
    """Let this process group be killed as soon as the scheduler is gone, whatever the handler does meanwhile."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    threading.Thread(target=_wait_for_end_of, args=(parent,), daemon=True).start()
    if hasattr(fcntl, "F_SETSIG"):
        # Linux does it by itself, also while a handler keeps the GIL, and the thread from running.
        fcntl.fcntl(parent.sentinel, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, -os.getpgrp())
        flags = fcntl.fcntl(parent.sentinel, fcntl.F_GETFL)
        fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)


def _wait_for_end_of(parent: BaseProcess) -> None:
    parent.join()
    os.killpg(os.getpgrp(), signal.SIGKILL)
