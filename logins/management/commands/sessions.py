"""Sessions on the command line: who has one, end them, prune, and how Redis fares."""

import re
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from typing import Any
from unicodedata import east_asian_width

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseFailure
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from logins import records
from logins.engine import process_store
from logins.models import Session
from logins.status import RedisState, Server, redis_state, server, status

SHOWN = 50
SHORTEST_DIGEST = 6
DIGEST = re.compile("[0-9a-f]{1,64}")
EXIT_DEGRADED = 1
EXIT_USAGE = 2


class Command(BaseCommand):
    """List, end and prune sessions, and show their state."""

    help = _("Look at sessions, end them on every replica, delete expired ones, and see whether Redis answers.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(metavar=_("COMMAND"), required=True)

        def add(name: str, act: Callable[[dict[str, Any]], None], help: str) -> ArgumentParser:
            command: ArgumentParser = commands.add_parser(name, help=help, description=f"{help}.")
            command.set_defaults(act=act)
            return command

        shown = add("list", self._list, _("list sessions that have not expired, the latest first"))
        end = add("end", self._end, _("end sessions, on every replica"))
        add("prune", self._prune, _("delete sessions that have expired"))
        add("status", self._status, _("show how many sessions there are, and whether Redis answers"))
        shown.add_argument("--limit", metavar=_("COUNT"), type=int, default=SHOWN, help=_("at most so many"))
        which = end.add_mutually_exclusive_group(required=True)
        which.add_argument("digests", metavar=_("DIGEST"), nargs="*", default=[], help=_("as `list` shows it"))
        which.add_argument("--all", action="store_true", help=_("those of everybody"))
        for command in (shown, which):
            command.add_argument("--user", metavar=_("NAME"), help=_("those of this user"))

    def handle(self, *args: Any, act: Callable[[dict[str, Any]], None], **options: Any) -> None:
        try:
            act(options)
        except DatabaseFailure as error:
            raise CommandError(_no_answer(error)) from error

    def _list(self, options: dict[str, Any]) -> None:
        sessions = _live()
        if options["user"] is not None:
            sessions = sessions.filter(user_id=_user_id(options["user"]))
        shown = list(sessions.order_by("-changed_at")[: max(options["limit"], 0)])
        names = _names({session.user_id for session in shown if session.user_id})
        headings = [(_("digest"), 14), (_("begun"), 21), (_("changed"), 21), (_("expires"), 21), (_("user"), 0)]
        self.stdout.write("".join(_padded(text, columns) for text, columns in headings))
        for session in shown:
            times = "  ".join(map(_local, (session.created_at, session.changed_at, session.expires_at)))
            name = names.get(session.user_id, session.user_id) or _("nobody")
            self.stdout.write(f"{session.digest[:12]}  {times}  {name}")

    def _end(self, options: dict[str, Any]) -> None:
        if options["all"]:
            sessions = records.all_sessions()
        elif options["user"] is not None:
            sessions = records.all_sessions().filter(user_id=_user_id(options["user"]))
        else:
            sessions = records.all_sessions().filter(digest__in=[_digest(text) for text in options["digests"]])
        store = process_store()
        ended = sum(store.end(digests) for digests in records.batches(sessions))
        self.stdout.write(ngettext("%(count)s session ended.", "%(count)s sessions ended.", ended) % {"count": ended})
        if redis_state() is RedisState.AWAY:
            self.stdout.write(_("Redis does not answer: it is told of this before any replica believes it again."))

    def _prune(self, options: dict[str, Any]) -> None:
        pruned = records.prune()
        said = ngettext("%(count)s expired session deleted.", "%(count)s expired sessions deleted.", pruned)
        self.stdout.write(said % {"count": pruned})

    def _status(self, options: dict[str, Any]) -> None:
        now = status()
        self.stdout.write(_("Sessions: %(count)s") % {"count": now.sessions})
        self.stdout.write(_("Expired, not yet deleted: %(count)s") % {"count": now.expired})
        self.stdout.write(_("Outbox: %(count)s") % {"count": now.outbox})
        if now.redis is RedisState.UNUSED:
            self.stdout.write(_("Redis: none; sessions are read from the database."))
            return
        said = server(settings.SESSION_CACHE_ALIAS)
        if now.redis is RedisState.AWAY or not isinstance(said, Server):
            raise CommandError(
                _("Redis does not do as asked (%(why)s); sessions are read from the database.")
                % {"why": said if isinstance(said, str) else _("see the log")},
                returncode=EXIT_DEGRADED,
            )
        self.stdout.write(_in_words(said))


def _no_answer(error: DatabaseFailure) -> str:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan([key for key in executor.loader.graph.leaf_nodes() if key[0] == "logins"])
    except DatabaseFailure:
        missing = []
    if missing:
        return _("%(count)s migrations are not applied: run `manage.py migrate` first") % {"count": len(missing)}
    return _("the database gives no answer: %(error)s") % {"error": error}


def _in_words(said: Server) -> str:
    log = _("append-only file on") if said.keeps_log else _("append-only file off")
    return _("Redis: %(version)s, %(memory)s in use, %(policy)s, %(log)s, %(evicted)s evicted") % {
        "version": said.version,
        "memory": said.memory,
        "policy": said.eviction_policy,
        "log": log,
        "evicted": said.evicted,
    }


def _live() -> QuerySet[Session]:
    return records.all_sessions().filter(expires_at__gt=timezone.now())


def _user_id(name: str) -> str:
    """Return the key of the user of this name, as sessions have it."""
    users = get_user_model()
    known = name if name.isprintable() else ""  # databases refuse what is no Unicode
    user = users._default_manager.filter(**{users.USERNAME_FIELD: known}).first()
    if user is None:
        raise CommandError(_('there is no user "%(name)s"') % {"name": name}, returncode=EXIT_USAGE)
    return str(users._meta.pk.value_to_string(user))


def _names(ids: set[str]) -> dict[str, str]:
    users = get_user_model()
    found = users._default_manager.filter(pk__in=filter(_is_key, ids))
    return {str(users._meta.pk.value_to_string(user)): user.get_username() for user in found}


def _is_key(id: str) -> bool:
    """Can a user have this key?"""
    field = get_user_model()._meta.pk
    try:
        field.run_validators(field.to_python(id))
    except ValidationError:
        return False
    return True


def _digest(text: str) -> str:
    """Return the one digest that begins like this."""
    if len(text) < SHORTEST_DIGEST:
        raise CommandError(
            _('"%(text)s" is shorter than %(count)s characters: give more of the digest')
            % {"text": text, "count": SHORTEST_DIGEST},
            returncode=EXIT_USAGE,
        )
    begin = text if DIGEST.fullmatch(text) else "-"
    found = list(records.all_sessions().filter(digest__startswith=begin).values_list("digest", flat=True)[:2])
    if len(found) != 1:
        why = _('no session begins with "%(text)s"') if not found else _('more than one session begins with "%(text)s"')
        raise CommandError(why % {"text": text}, returncode=EXIT_USAGE)
    return str(found[0])


def _padded(text: str, columns: int) -> str:
    """Fill a text up; a Chinese character is two columns wide."""
    wide = sum(east_asian_width(char) in "WF" for char in text)
    return text + " " * (columns - len(text) - wide)


def _local(time: datetime) -> str:
    try:
        return f"{timezone.localtime(time):%Y-%m-%d %H:%M:%S}"
    except OverflowError:  # the end of the year 9999, east of Greenwich
        return f"{time:%Y-%m-%d %H:%M:%S}"
