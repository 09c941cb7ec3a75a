"""One instance, under a supervisor that starts it again."""

import argparse
import logging
import socket
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils.translation import gettext as _

from scheduling.checks import connection_limit_warnings, rowless_warnings
from scheduling.database.ledger import DatabaseLedger
from scheduling.database.threads import on_ledger_thread
from scheduling.domain.errors import LedgerUnavailable
from scheduling.management.lifeline import Lifeline
from scheduling.management.migrated import check_migrated
from scheduling.management.probe import probe
from scheduling.management.supervisor import Supervisor, is_program, own_command
from scheduling.management.working import InstanceProcess
from scheduling.runtime.executor import DEFAULT_WORKERS

logger = logging.getLogger("scheduling.runscheduler")


class Command(BaseCommand):
    """Run one instance of the scheduler in the foreground.

    `wall_clock` is what this machine takes for the time, in seconds since 1970; nothing fires by it.
    """

    wall_clock: Callable[[], float] = staticmethod(time.time)

    help = _(
        "Run one instance of the scheduler, in the foreground; start one per node. SIGTERM or SIGINT drains: nothing "
        "new is claimed, what runs ends (up to 60 s) and the items go to others. A second signal stops at once. "
        "A second process does the work; where it dies, the others are told at once, and it is started again. "
        "Exit codes: 0 drained, 1 could not start, 2 wrong usage, 3 stopped with executions left behind, "
        "which other instances take over. With --check: 0 well, 1 not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--workers",
            type=int,
            default=DEFAULT_WORKERS,
            help=_("how many executions may run at one time, 1 to 1000 (default: %(default)s)"),
        )
        parser.add_argument(
            "--capacity",
            type=int,
            default=1,
            help=_(
                "of jobs whose strategy is weighted, 3 owns three times the items that 1 does; "
                "1 to 1000 (default: %(default)s)"
            ),
        )
        parser.add_argument(
            "--check",
            action="store_true",
            help=_(
                "start nothing, but say in one line whether an instance of this machine is live or draining: exit code "
                "0 if the leader sees one, else 1 (none is there, it is dead or holding, the registry is degraded, "
                "the database gives no answer); for probes"
            ),
        )
        parser.add_argument("--supervised", type=int, help=argparse.SUPPRESS)

    def execute(self, *args: Any, **options: Any) -> str | None:
        if options["check"] or _supervises(options["supervised"]):
            # A probe has no time for them, and the working process checks for itself.
            options["skip_checks"] = True
        return super().execute(*args, **options)

    def handle(
        self, *args: Any, workers: int, capacity: int, check: bool, supervised: int | None, **options: Any
    ) -> None:
        if not 1 <= workers <= 1000:
            raise CommandError(_("--workers %(workers)s is outside 1-1000") % {"workers": workers}, returncode=2)
        if not 1 <= capacity <= 1000:
            raise CommandError(_("--capacity %(capacity)s is outside 1-1000") % {"capacity": capacity}, returncode=2)
        if check:
            self._check()
        if not settings.LOGGING:
            logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        if _supervises(supervised):
            sys.exit(Supervisor(own_command()).run())
        self._work(workers, capacity, lifeline_at(supervised))

    def _check(self) -> None:
        finding = on_ledger_thread(lambda: probe(socket.gethostname()))
        self.stdout.write(finding.line)
        sys.exit(0 if finding.is_well else 1)

    def _work(self, workers: int, capacity: int, lifeline: Lifeline | None) -> None:
        self._look_at_database(workers)
        process = InstanceProcess(workers, capacity, wall_clock=self.wall_clock, lifeline=lifeline)
        process.check_registry()
        sys.exit(process.run())

    def _look_at_database(self, workers: int) -> None:
        try:
            check_migrated()
            limits = connection_limit_warnings(workers, len(DatabaseLedger().joined()) + 1)
            for warning in (*rowless_warnings(), *limits):
                logger.warning("%s (%s)", warning.msg, warning.hint)
        except (DatabaseError, LedgerUnavailable) as error:
            logger.warning("the database gives no answer yet: %s", error)
        finally:
            connection.close()


def lifeline_at(descriptor: int | None) -> Lifeline | None:
    """Return this process's line to its supervisor, which it ends with from now on; None if it has none."""
    if descriptor is None:
        return None
    try:
        lifeline = Lifeline(descriptor)
    except OSError as error:
        raise CommandError(_("--supervised is for runscheduler itself"), returncode=2) from error
    lifeline.hold()
    return lifeline


def _supervises(supervised: int | None) -> bool:
    # Not within another program, which would be started a second time.
    return supervised is None and is_program("runscheduler")
