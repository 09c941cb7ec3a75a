"""The other side of `scheduling.runtime.processes`: a child that sets Django up, and runs one attempt after another.

Importable before Django is set up: what needs it is imported by the functions that run afterwards.
"""

import logging
import multiprocessing
import os
import signal
import threading

import django

from scheduling.domain.fire import Attempt, Result
from scheduling.runtime.context import Context
from scheduling.runtime.executor import run
from scheduling.runtime.handlers import HANDLERS
from scheduling.runtime.slate import Slate


def prepare() -> None:
    """Set Django up, once for each child, and end with the scheduler."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the scheduler says what ends
    threading.Thread(target=_end_with_parent, daemon=True).start()
    django.setup()
    from django.conf import settings

    if not settings.LOGGING:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def serve(attempt: Attempt, handler: str, instance: str, path: str) -> Result:
    """Run one attempt and return its result."""
    from scheduling.database.fence import DatabaseFence
    from scheduling.database.threads import on_worker_thread

    slate = Slate(path)
    slate.begin()
    context = IsolatedContext(attempt, DatabaseFence(), instance=instance)
    context.slate = slate
    try:
        return on_worker_thread(lambda: run(context, attempt, HANDLERS[handler].function))
    finally:
        slate.close()


class IsolatedContext(Context):
    """The context of a handler whose scheduler is another process."""

    slate: Slate

    @property
    def cancelled(self) -> bool:
        return self.slate.is_cancelled()

    def progress(self, done: int, total: int) -> None:
        super().progress(done, total)
        self.slate.report(done, total)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)
