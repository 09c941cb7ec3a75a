"""`manage.py seedresumes`: fills the table `resume` with made-up people."""

from argparse import ArgumentTypeError
from itertools import islice
from random import Random
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from resumes.models import Resume
from resumes.samples import sample_resumes

MAXIMUM = 1_000_000
# Each batch is a transaction of its own: on SQLite one long one would stop the schedulers.
BATCH = 1_000


class Command(BaseCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        parser.description = _("Fills the table of resumes with made-up people, none of them archived.")
        parser.add_argument("count", type=count_of, help=_("how many resumes to add, 0 to 1,000,000"))
        parser.add_argument("--if-empty", action="store_true", help=_("do nothing if there are resumes already"))
        parser.add_argument("--seed", help=_("any text; the same one makes the same people again"))

    def handle(self, *args: Any, count: int, if_empty: bool, seed: str | None, **options: Any) -> None:
        added = 0
        try:
            if if_empty and Resume.objects.exists():
                self.stdout.write(_("there are resumes already: none added"))
                return
            resumes = sample_resumes(count, Random(seed))
            while batch := list(islice(resumes, BATCH)):
                added += len(Resume.objects.bulk_create(batch))
        except DatabaseError as error:
            raise CommandError(
                _(
                    "the database stopped this after %(added)d of %(count)d resumes (%(error)s):"
                    " check that it is up, and that `manage.py migrate` has been run"
                )
                % {"added": added, "count": count, "error": error}
            ) from error
        self.stdout.write(ngettext("added %(count)d resume", "added %(count)d resumes", count) % {"count": count})


def count_of(text: str) -> int:
    """Read the argument `count`."""
    try:
        count = int(text)
    except ValueError:
        raise ArgumentTypeError(
            _("%(text)s is not a whole number: write one from 0 to 1,000,000, like 1000") % {"text": repr(text)[:80]}
        ) from None
    if not 0 <= count <= MAXIMUM:
        raise ArgumentTypeError(_("%(count)s is outside 0 to 1,000,000") % {"count": text})
    return count
