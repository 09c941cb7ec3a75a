"""Jobs on the command line: what the admin shows and does, for scripts and for terminals."""

import threading
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseFailure
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from scheduling.database import declarations
from scheduling.database.clock import database_now
from scheduling.database.snapshot import read_snapshot
from scheduling.database.transactions import transact
from scheduling.domain.errors import InvalidJob, JobDisabled, LedgerUnavailable, SchedulingError, UnknownJob
from scheduling.domain.fire import FireState
from scheduling.management import job_words as words
from scheduling.management.acts import EXIT_USAGE, go_beyond, in_words, refuse_invalid, request, row_named, switch
from scheduling.management.migrated import no_answer
from scheduling.management.tables import table
from scheduling.management.terminal import quiet_when_closed, says_that_it_waits
from scheduling.management.waiting import wait_until_settled
from scheduling.models import Execution, Fire, Job
from scheduling.runtime.handlers import HANDLERS

LAST_FIRES = 5
NEXT_FIRES = 5
WAIT_SECONDS = 3_600
EXECUTIONS_SHOWN = 100
MOST_FIRES = 1_000
LONGEST_WAIT = 7 * 86_400

EXIT_FAILED = 1
EXIT_STILL_OPEN = 4
EXIT_CODES_OF_RUN = gettext_noop(
    "Exit codes with --wait: 0 succeeded, 1 failed, partly failed or did not run, 2 wrong usage (no such job, or it is "
    "disabled), 4 still open when the time is over."
)

Act = Callable[[dict[str, Any]], None]


class Command(BaseCommand):
    """List, show, sync, run, enable and disable jobs."""

    help = _("Look at the jobs, write what the code declares, run a job by hand, enable and disable jobs.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(metavar=_("COMMAND"), required=True)

        def add(name: str, act: Act, help: str, more: str = "") -> ArgumentParser:
            command: ArgumentParser = commands.add_parser(name, help=help, description=f"{help}. {more}".strip())
            command.set_defaults(act=act)
            return command

        add("list", self._list, _("list all jobs with their state and next fire time"))
        show = add("show", self._show, _("show everything about one job"))
        following = add("next", self._next, _("show a job's next fire times, in its zone and in UTC"))
        add("sync", self._sync, _("write what the code declares into the jobs"), _("Exit code 1: one is refused."))
        run = add("run", self._run, _("run a job now, beside its trigger"), _(EXIT_CODES_OF_RUN))
        enable = add("enable", self._enable, _("enable jobs"), _("All of these, or none if one cannot be."))
        disable = add("disable", self._disable, _("disable jobs"), _("What is pending is cancelled, what runs ends."))
        add("restored", self._restored, _("after a restore of the database: go on with larger tokens and ids"))
        for command in (show, following, run):
            command.add_argument("name", metavar=_("NAME"))
        for command in (enable, disable):
            command.add_argument("names", metavar=_("NAME"), nargs="+")
        following.add_argument(
            "count", metavar=_("COUNT"), nargs="?", type=_number_up_to(MOST_FIRES), default=NEXT_FIRES
        )
        run.add_argument("--wait", action="store_true", help=_("wait until the fire is settled"))
        run.add_argument(
            "--timeout",
            metavar=_("SECONDS"),
            type=_number_up_to(LONGEST_WAIT),
            help=_("wait no longer (default: %(seconds)s)") % {"seconds": WAIT_SECONDS},
        )

    def handle(self, *args: Any, act: Act, **options: Any) -> None:
        with quiet_when_closed(self.stdout):
            self._do(act, options)

    def _do(self, act: Act, options: dict[str, Any]) -> None:
        try:
            act(options)
        except (UnknownJob, JobDisabled, InvalidJob) as error:
            raise CommandError(in_words(error), returncode=EXIT_USAGE) from error
        except LedgerUnavailable as error:
            raise CommandError(no_answer(error.__cause__ or error), returncode=EXIT_FAILED) from error
        except SchedulingError as error:
            raise CommandError(in_words(error), returncode=EXIT_FAILED) from error
        except DatabaseFailure as error:
            raise CommandError(no_answer(error), returncode=EXIT_FAILED) from error

    # Looking

    def _list(self, options: dict[str, Any]) -> None:
        now = database_now()
        rows = list(Job.objects.select_related("cursor").filter(retired_at__isnull=True))
        if not rows:
            self.stdout.write(_("no jobs: declare one with @job in an installed app's jobs.py, then `jobs sync`"))
            return
        head = [_("job"), _("state"), _("trigger"), _("next fire (UTC)"), _("items"), _("handler")]
        self._write_table([head, *([row.name, *_list_cells(row, words.next_fire_time(row, now))] for row in rows)])

    def _show(self, options: dict[str, Any]) -> None:
        row = row_named(options["name"])
        self._write_table([*words.configuration_of(row), *words.standing_of(row, database_now())])
        self.stdout.write("")
        # In the order of a unique key: other orders read the whole history.
        fires = Fire.objects.filter(job=row).order_by("-fire_time", "-run")[:LAST_FIRES]
        self._write_table(words.fires_table(fires))

    def _next(self, options: dict[str, Any]) -> None:
        row = row_named(options["name"])
        refuse_invalid(row)
        times = words.next_fire_times(row, database_now(), options["count"])
        if not row.enabled:
            self.stderr.write(_("%(job)s is disabled: these are the fire times it would have") % {"job": row.name})
        if not times:
            self.stderr.write(_("%(job)s has no next fire time: %(trigger)s") % _trigger_in_words(row))
            return
        zone = words.zone_of(row)
        rows = [(str(zone), "UTC"), *((words.in_zone(each, zone), words.in_utc(each)) for each in times)]
        self._write_table([row[1:] for row in rows] if str(zone) == "UTC" else rows)

    # Changing

    def _sync(self, options: dict[str, Any]) -> None:
        with says_that_it_waits(self.stderr):
            outcomes = declarations.sync()
        for synced in outcomes:
            (self.stderr if synced.failed else self.stdout).write(f"{synced.job}: {synced.outcome}")
        for row in Job.objects.filter(retired_at__isnull=True).exclude(handler__in=HANDLERS):
            self.stdout.write(_("%(job)s: no code declares its handler; the job stays") % {"job": row.name})
        if failed := sum(synced.failed for synced in outcomes):
            message = ngettext(
                "%(failed)d declaration cannot be written: mend it in the code",
                "%(failed)d declarations cannot be written: mend them in the code",
                failed,
            )
            raise CommandError(message % {"failed": failed}, returncode=EXIT_FAILED)

    def _enable(self, options: dict[str, Any]) -> None:
        self._switch(options["names"], True, _("%(job)s: enabled"), _("%(job)s: was enabled already"))

    def _disable(self, options: dict[str, Any]) -> None:
        self._switch(options["names"], False, _("%(job)s: disabled"), _("%(job)s: was disabled already"))

    def _switch(self, names: Sequence[str], enabled: bool, done: str, already: str) -> None:
        rows = [row_named(name) for name in names]
        with says_that_it_waits(self.stderr):
            switched = transact(lambda: switch([row.pk for row in rows], enabled))
        for name, changed in switched.items():
            self.stdout.write((done if changed else already) % {"job": name})

    def _restored(self, options: dict[str, Any]) -> None:
        with says_that_it_waits(self.stderr):
            count = transact(go_beyond)
        message = ngettext(
            "%(count)d item has a larger token now: restart every runscheduler",
            "%(count)d items have larger tokens now: restart every runscheduler",
            count,
        )
        self.stdout.write(message % {"count": count})

    # Running

    def _run(self, options: dict[str, Any]) -> None:
        if options["timeout"] and not options["wait"]:
            raise CommandError(_("--timeout needs --wait"), returncode=EXIT_USAGE)
        row = row_named(options["name"])
        refuse_invalid(row)
        if words.cursor_of(row) is None:
            raise CommandError(in_words(JobDisabled(row.name)), returncode=EXIT_USAGE)
        with says_that_it_waits(self.stderr):
            fire_id = request(row)
        self.stdout.write(_("fire %(fire)s of %(job)s is open") % {"fire": fire_id, "job": row.name})
        self._warn_if_nobody_runs(row)
        if options["wait"]:
            self._wait_for(Fire.objects.get(id=fire_id), row, options["timeout"] or WAIT_SECONDS)

    def pause(self, seconds: float) -> None:
        """Wait before the ledger is looked at again."""
        threading.Event().wait(seconds)

    def _warn_if_nobody_runs(self, row: Job) -> None:
        seen = read_snapshot()
        instances = seen.cluster.instances.values() if seen and seen.is_fresh else ()
        if not instances:
            self.stderr.write(_("nobody runs: start `manage.py runscheduler`"))
        elif not any(row.handler in instance.handlers for instance in instances):
            self.stderr.write(
                _("no live instance knows the handler %(handler)s: start one with the code that declares it")
                % {"handler": repr(row.handler)}
            )

    def _wait_for(self, fire: Fire, row: Job, seconds: int) -> None:
        try:
            settled = wait_until_settled(fire, seconds, pause=self.pause, clock=time.monotonic)
        except KeyboardInterrupt:
            settled = False
        self._write_executions(fire)
        if not settled:
            raise CommandError(
                _("fire %(fire)s is still open, and goes on: `manage.py jobs show %(job)s` shows what becomes of it")
                % {"fire": fire.id, "job": row.name},
                returncode=EXIT_STILL_OPEN,
            )
        message = _("fire %(fire)s of %(job)s: %(state)s") % {
            "fire": fire.id,
            "job": row.name,
            "state": fire.get_state_display(),
        }
        if fire.state != FireState.SUCCEEDED:
            raise CommandError(message, returncode=EXIT_FAILED)
        self.stdout.write(message)

    def _write_executions(self, fire: Fire) -> None:
        executions = Execution.objects.filter(fire=fire).order_by("item")
        self._write_table(words.executions_table(executions[:EXECUTIONS_SHOWN]))
        if fire.total > EXECUTIONS_SHOWN:
            self.stdout.write(_("and %(more)d more items") % {"more": fire.total - EXECUTIONS_SHOWN})

    def _write_table(self, rows: Sequence[Sequence[str]]) -> None:
        for line in table(rows):
            self.stdout.write(line)


def _list_cells(row: Job, next_fire_time: str) -> list[str]:
    return [words.state_of(row), words.trigger_of(row), next_fire_time, str(row.sharding_total_count), row.handler]


def _trigger_in_words(row: Job) -> dict[str, str]:
    return {"job": row.name, "trigger": words.trigger_of(row)}


def _number_up_to(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
            raise ArgumentTypeError(_("%(text)s is outside 1-%(most)s") % {"text": repr(text[:40]), "most": most})
        return int(text)

    return number
