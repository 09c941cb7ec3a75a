"""What commands do to jobs; what a person got wrong is refused with a `CommandError` that tells the way out."""

import getpass
import os
import secrets
from collections.abc import Sequence
from difflib import get_close_matches

from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.db.models import F
from django.utils.translation import gettext as _

from scheduling.database import configuration
from scheduling.database.clock import database_now
from scheduling.database.declarations import note_changed
from scheduling.database.transactions import is_locked, transact
from scheduling.domain.errors import LedgerUnavailable, SchedulingError, UnknownJob
from scheduling.domain.fire import ExecutionState, FireState
from scheduling.domain.job import NAME
from scheduling.management.job_words import problem_of
from scheduling.models import Cursor, Execution, Fire, Item, Job
from scheduling.models.job import as_validation_error
from scheduling.runtime.executor import storable
from scheduling.runtime.handlers import HANDLERS

EXIT_USAGE = 2

RESTORED_TOKENS = 1_000_000_000
"""An item that is attempted every second has fewer attempts in thirty years."""

RESTORED_IDS = 1_000_000_000_000
"""A thousand executions a second are fewer in thirty years."""


def row_named(name: str) -> Job:
    """Return the job's row; raise `CommandError` that offers names like this one."""
    try:
        # Names are compared here: a database may ignore case, and refuses what is no Unicode.
        return configuration.row_of(name if NAME.fullmatch(name) else "")
    except UnknownJob as error:
        names = Job.objects.filter(retired_at__isnull=True).values_list("name", flat=True)
        near = get_close_matches(name.lower(), names)
        meant = _("; did you mean %(names)s?") % {"names": ", ".join(near)} if near else ""
        raise CommandError(_unknown(name) + meant, returncode=EXIT_USAGE) from error


def _unknown(name: str) -> str:
    if name not in HANDLERS or Job.objects.filter(name=name).exists():  # retired: no `jobs sync` brings it back
        return in_words(UnknownJob(name))
    return _("the code declares %(name)s, but there is no such job yet: `manage.py jobs sync` adds it") % {
        "name": repr(name)
    }


def request(row: Job) -> int:
    """Open a manual fire and return its id; raise `JobDisabled`."""
    key = secrets.randbelow(2**63 - 1) + 1

    def ask() -> int:
        return transact(lambda: configuration.request(row, key=key, asked_by=_os_user()))

    try:
        return ask()
    except LedgerUnavailable as error:
        if isinstance(error.__cause__, DatabaseError) and is_locked(error.__cause__, connection):
            raise  # it did not happen, and has waited for long enough
        # The same key is the same fire, whether the first answer was lost or the question.
        return ask()


def switch(ids: Sequence[int], enabled: bool) -> dict[str, bool]:
    """Enable or disable these jobs, within the caller's transaction; return name → was it changed?

    The choice counts as a person's: `jobs sync` leaves it alone. Raise `CommandError` for a row that cannot be meant.
    """
    # Cursors first, in order: an opening that waits for one of them then holds nothing that is needed here.
    cursors = {c.job_id: c for c in Cursor.objects.select_for_update().filter(job__in=ids).order_by("job_id")}
    rows = Job.objects.filter(id__in=ids, retired_at__isnull=True).order_by("id")
    unlike = [row for row in rows if row.pk not in cursors or row.enabled != enabled]
    for row in unlike:
        _save_switched(row, enabled)
    return {row.name: row in unlike for row in rows}


def _save_switched(row: Job, enabled: bool) -> None:
    row.enabled = enabled
    if enabled:
        refuse_invalid(row)
    note_changed(row, ["enabled"])
    configuration.save(row)


def go_beyond() -> int:
    """Hand out only tokens and ids that cannot have been handed out since the backup; return how many items there are.

    Whatever ran before the restore is fenced then, other systems that keep the largest token refuse nothing new, and
    the markers that `once` left in other databases are of no execution that is to come. Within one transaction.
    """
    now = database_now()
    _raise_ids(Fire(job_id=-1, fire_time=now, revision=0, total=0, state=FireState.SKIPPED, opened_at=now))
    _raise_ids(Execution(fire_id=-1, job_id=-1, item=0, state=ExecutionState.CANCELLED, due_at=now))
    # In the order of ids, as everybody locks items.
    list(Item.objects.select_for_update().order_by("id").values_list("id"))
    return Item.objects.update(token=F("token") + RESTORED_TOKENS)


def _raise_ids(row: Fire | Execution) -> None:
    """Let ids of its table go on far beyond the next one, by a row that goes again: the counter stays where it was."""
    row.save(force_insert=True)
    next_id = row.pk
    row.delete()
    row.pk = next_id + RESTORED_IDS
    row.save(force_insert=True)
    row.delete()


def refuse_invalid(row: Job) -> None:
    """Raise `CommandError` if the row cannot be meant."""
    if problem := problem_of(row):
        message = _("%(job)s is invalid, mend it in the admin: %(problem)s")
        raise CommandError(message % {"job": row.name, "problem": problem}, returncode=EXIT_USAGE)


def in_words(error: SchedulingError) -> str:
    """Return a finding in the reader's language."""
    return " ".join(as_validation_error(error).messages)


def _os_user() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container may run as a number without a name.
        name = f"uid {os.getuid()}"
    return storable(name)[:150]
