"""Whether the tables are as the code knows them, and what is said where the database gives no answer."""

from django.core.management.base import CommandError
from django.db import Error as DatabaseFailure
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _


def check_migrated() -> None:
    """Raise `CommandError` unless the tables of this app are as its code knows them."""
    if missing := _missing():
        raise CommandError(missing, returncode=1)


def no_answer(error: BaseException) -> str:
    """Say in one line why the database gave no answer, or that tables are missing, if it is that."""
    try:
        missing = _missing()
    except DatabaseFailure:
        missing = ""
    first = " ".join(str(error).split())[:200] or type(error).__name__
    return missing or _("the database gives no answer: %(error)s") % {"error": first}


def _missing() -> str:
    executor = MigrationExecutor(connection)
    targets = [key for key in executor.loader.graph.leaf_nodes() if key[0] == "scheduling"]
    missing = executor.migration_plan(targets)
    if not missing:
        return ""
    return _("%(count)s migrations are not applied: run `manage.py migrate` first") % {"count": len(missing)}
