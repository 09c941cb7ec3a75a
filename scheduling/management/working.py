"""The working process of `runscheduler`: one instance, put together here, run until a signal says otherwise."""

import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.utils.translation import gettext as _

from scheduling.checks import DATABASE_URL, registry_url
from scheduling.database.fence import DatabaseFence
from scheduling.database.ledger import DatabaseLedger
from scheduling.database.registry import DatabaseRegistry
from scheduling.database.snapshot import read_snapshot
from scheduling.database.threads import on_ledger_thread, on_worker_thread
from scheduling.domain.errors import SchedulingError
from scheduling.domain.instance import Instance
from scheduling.management.child import work
from scheduling.management.ending import end_at_once, end_within
from scheduling.management.lifeline import Lifeline
from scheduling.management.watchdog import Watchdog
from scheduling.ports.registry import Registry
from scheduling.runtime.clock import monotonic
from scheduling.runtime.executor import Isolate, ThreadWorkers
from scheduling.runtime.handlers import HANDLERS
from scheduling.runtime.identity import new_id, tzdata_version
from scheduling.runtime.membership import Membership
from scheduling.runtime.node import Node
from scheduling.runtime.processes import Processes
from scheduling.runtime.session import Session, keep_alive
from scheduling.zookeeper.address import parse_address
from scheduling.zookeeper.registry import ZooKeeperRegistry

logger = logging.getLogger("scheduling.runscheduler")

DRAIN_SECONDS = 60
LAST_SECONDS = 5.0
"""How long after a drain the interpreter may take to end."""

LOOK_SECONDS = 1.0
EXIT_DRAINED = 0
EXIT_LEFT_BEHIND = 3
FROM_SUPERVISOR = signal.SIGUSR1
"""What the supervisor sends for a signal that it was sent itself."""

LED_JUST_NOW = timedelta(seconds=3)
"""A leader that was seen at work so lately still has its session, also if it was killed since."""


class InstanceProcess:
    """The life of one instance: its threads, and what signals do to it. `lifeline` leads to its supervisor."""

    def __init__(
        self, workers: int, capacity: int, *, wall_clock: Callable[[], float], lifeline: Lifeline | None = None
    ) -> None:
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._draining = threading.Event()
        self._lifeline = lifeline
        self._asked = False
        self._watchdog = Watchdog()
        clock = monotonic
        self._registry = registry = registry_at(registry_url(), wake=self._look_again)
        ledger = DatabaseLedger()
        self._session = Session(registry, clock, tell=lifeline.tell if lifeline else None)
        self._processes = Processes(work)
        self._workers = start_workers(workers, isolate=self._processes.run, wake=self._wake.set)
        self._membership = Membership(
            this_instance(capacity), ledger=ledger, registry=registry, session=self._session, clock=clock
        )
        self._node = Node(
            membership=self._membership,
            ledger=ledger,
            fence=DatabaseFence(),
            workers=self._workers,
            handlers=HANDLERS,
            clock=clock,
            wall_clock=wall_clock,
            new_id=new_id,
        )

    def check_registry(self) -> None:
        """Raise `CommandError` if the schedulers of this database see each other in another registry.

        Each side would take the other for dead.
        """
        try:
            seen, here = read_snapshot(), self._registry.cluster().instances
            elsewhere = seen and seen.age < LED_JUST_NOW and not seen.cluster.instances.keys() & here.keys()
            leader = seen.cluster.leader if seen and elsewhere else None
            if leader not in DatabaseLedger().joined():
                return
        except (DatabaseError, SchedulingError):
            return  # not there yet: the loop says so
        finally:
            connection.close()
        raise CommandError(
            _(
                "the schedulers of this database see each other in another registry: %(leader)s leads them, and is not "
                "in this one. Give all of them the same REGISTRY_URL; to change it, stop them first."
            )
            % {"leader": leader},
            returncode=1,
        )

    def run(self) -> int:
        """Run until drained, and return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT, FROM_SUPERVISOR):
            signal.signal(number, self._on_signal)
        heart = threading.Thread(target=on_ledger_thread, args=(self._beat,), name="heart", daemon=True)
        loop = threading.Thread(target=on_ledger_thread, args=(self._loop,), name="scheduling", daemon=True)
        # What is loaded by now stays: to look through it again and again for garbage would cost fires 14 ms at times.
        gc.collect()
        gc.freeze()
        heart.start()
        loop.start()
        while loop.is_alive():
            # Signals are handled on this thread, which holds no lock that a handler could want.
            loop.join(timeout=LOOK_SECONDS)
            if self._watchdog.look():
                end_at_once(EXIT_LEFT_BEHIND, lambda: self._say_where_it_hangs(loop))
        return self._end()

    def _say_where_it_hangs(self, loop: threading.Thread) -> None:
        if self._lifeline:
            self._lifeline.tell_hangs()
        frame = sys._current_frames().get(loop.ident or 0)
        where = "".join(traceback.format_stack(frame)) if frame else "it has ended"
        logger.critical(
            "instance %s: its loop hangs, so this process ends. It is at:\n%s", self._membership.instance.id, where
        )

    def _look_again(self) -> None:
        # On a thread of the registry's, which asks for nothing before the membership does.
        self._membership.wake()
        self._wake.set()

    def _beat(self) -> None:
        keep_alive(self._session, self._stopped)

    def _loop(self) -> None:
        with connection.execute_wrapper(self._note_statement):
            while not self._draining.is_set():
                self._tick(float("inf"))
            self._drain()

    def _tick(self, wait_most: float) -> None:
        self._wake.wait(min(self._node.tick(), wait_most))
        self._wake.clear()
        self._watchdog.pet()

    def _note_statement(self, execute: Callable[..., Any], *statement: Any) -> Any:
        try:
            return execute(*statement)
        finally:
            self._watchdog.pet()

    def _drain(self) -> None:
        logger.info("draining: %s executions still run", self._node.running())
        self._node.drain()
        until = time.monotonic() + DRAIN_SECONDS
        while not self._node.is_drained() and time.monotonic() < until:
            self._tick(0.2)
        if not self._node.running():
            # What still runs was cut off: its attempt has ended, and its token has moved on, so that nothing it writes
            # counts. It ends with this process, its own processes even before.
            self._processes.close()
            self._node.leave()

    def _end(self) -> int:
        self._stopped.set()
        left = self._node.running()
        logger.info("stopped with %s executions left behind", left) if left else logger.info("drained")
        if left or not self._draining.is_set():
            # Their threads may never end; or the loop has, which nobody had asked for.
            leave_behind()
        if self._lifeline:
            self._lifeline.tell_drained()
        if self._workers.running():
            # Handlers that were cut off; the interpreter's end could wait for them for ever.
            end_at_once(EXIT_DRAINED)
        if self._lifeline:  # else this process is another program's, which may go on
            end_within(LAST_SECONDS, EXIT_DRAINED)
        return EXIT_DRAINED

    def _on_signal(self, number: int, _frame: object) -> None:
        # One that is sent to all processes comes here and from the supervisor, too, and is not the second.
        if number == FROM_SUPERVISOR or not self._lifeline:
            if self._asked:
                leave_behind()
            self._asked = True
        self._draining.set()
        self._wake.set()


def registry_at(url: str, wake: Callable[[], None]) -> Registry:
    """Return this process's connection to the registry; `wake` is called when something there may have changed."""
    if url == DATABASE_URL:
        return DatabaseRegistry()
    address = parse_address(url)
    if missing := address.missing_files():
        raise CommandError(
            _("REGISTRY_URL names files that are not there: %(files)s") % {"files": ", ".join(missing)}, returncode=1
        )
    return ZooKeeperRegistry(address, wake)


def start_workers(count: int, *, isolate: Isolate, wake: Callable[[], None]) -> ThreadWorkers:
    """Return this process's workers, which use Django's connections."""
    try:
        return ThreadWorkers(count, enter=on_worker_thread, isolate=isolate, wake=wake)
    except RuntimeError as error:
        raise CommandError(
            _(
                "--workers %(workers)s: the system does not give this process so many threads (%(error)s). "
                "Ask for fewer, or raise its limit (ulimit -u, pids.max)."
            )
            % {"workers": count, "error": error},
            returncode=1,
        ) from error


def leave_behind() -> NoReturn:
    """End this process at once; what it runs is taken over once its session has ended."""
    end_at_once(EXIT_LEFT_BEHIND)


def this_instance(capacity: int) -> Instance:
    """Describe this process as the others see it."""
    return Instance(
        id=new_id(),
        host=socket.gethostname(),
        pid=os.getpid(),
        started_at=datetime.now(UTC),
        handlers=frozenset(HANDLERS),
        tzdata=tzdata_version(),
        capacity=capacity,
    )
