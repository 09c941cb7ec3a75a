"""Sessions and the outbox in the database, which keeps the truth."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.db import IntegrityError, connections, router, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from logins.changes import Changes, Values, session_text
from logins.models import OutboxEntry, Session
from logins.record import COPY_SECONDS, Record

BATCH = 500
Expiry = Callable[[Values], datetime]
"""When a session with these values expires."""

RECENT = timedelta(seconds=60)
"""An entry of the outbox can be seen when it is committed, which may be so much later than it is dated."""

CHANGE = (
    f"UPDATE {Session._meta.db_table} SET text = %s, user_id = %s, version = %s, changed_at = %s, expires_at = %s"
    " WHERE digest = %s AND version = %s"
)
KEEP = timedelta(seconds=COPY_SECONDS) + RECENT


class DatabaseNow(Now):
    """The database's clock, in UTC whatever the zone of the connection is."""

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        return str(self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)[0]), []


def database() -> str:
    """Return the alias of the database; never a read replica, which may be behind."""
    return router.db_for_write(Session)


def is_within_transaction() -> bool:
    """Has the caller begun a transaction, which may yet be rolled back, and may not see what others commit?"""
    return connections[database()].in_atomic_block


def all_sessions() -> QuerySet[Session]:
    """Return the rows of the truth."""
    return Session.objects.using(database())


def read(digest: str) -> Record | None:
    """Return a session; None if there is none, or it has expired."""
    return _record(all_sessions().filter(digest=digest, expires_at__gt=timezone.now()))


def exists(digest: str) -> bool:
    return all_sessions().filter(digest=digest).exists()


def insert(digest: str, values: Values, expires_at: datetime) -> Record | None:
    """Write a new session; None if its digest is taken."""
    text = session_text(values)
    now = timezone.now()
    row = Session(
        digest=digest, user_id=user_of(values), text=text, created_at=now, changed_at=now, expires_at=expires_at
    )
    try:
        with transaction.atomic(using=database()):
            row.save(force_insert=True, using=database())
    except IntegrityError:
        return None
    return Record(text=text, version=row.version, expires_at=expires_at)


def change(digest: str, seen: Record, changes: Changes, expiry: Expiry) -> Record | None:
    """Write changes over what was seen, or over what others have written since; None if the session has ended."""
    return _change(digest, seen, changes, expiry) or _change_under_lock(digest, changes, expiry)


def change_and_post(digest: str, seen: Record, changes: Changes, expiry: Expiry) -> Record | None:
    """Write changes, and tell every process that the copy is out of date."""
    with transaction.atomic(using=database()):
        post([digest])
        return change(digest, seen, changes, expiry)


def _change(digest: str, seen: Record, changes: Changes, expiry: Expiry) -> Record | None:
    """Write changes over what was seen, if it still stands.

    In SQL of its own: every request that changes its session pays for this statement, and building it costs Django
    more than the database takes to execute it.
    """
    values = changes.applied(seen.values)
    after = Record(text=session_text(values), version=seen.version + 1, expires_at=expiry(values))
    connection = connections[database()]
    now, until = (connection.ops.adapt_datetimefield_value(time) for time in (timezone.now(), after.expires_at))
    with connection.cursor() as cursor:
        cursor.execute(CHANGE, [after.text, user_of(values), after.version, now, until, digest, seen.version])
        return after if cursor.rowcount else None


def _change_under_lock(digest: str, changes: Changes, expiry: Expiry) -> Record | None:
    with transaction.atomic(using=database()):
        found = locked(digest)
        return _change(digest, found, changes, expiry) if found else None


def locked(digest: str) -> Record | None:
    """Return a session, which nobody changes or ends until the caller's transaction does."""
    return _record(all_sessions().select_for_update().filter(digest=digest))


def end(digests: Sequence[str]) -> int:
    """Delete sessions, and have their copies dropped; return how many there were."""
    with transaction.atomic(using=database()):
        post(digests)
        return all_sessions().filter(digest__in=digests).delete()[0]


def post(digests: Iterable[str]) -> None:
    """Tell every process that these copies are out of date."""
    entries = [OutboxEntry(digest=digest, written_at=DatabaseNow()) for digest in digests]
    OutboxEntry.objects.using(database()).bulk_create(entries)


def posted(after: int | None = None) -> dict[int, str]:
    """Return the outbox, digest by entry; with `after`, what is recent or came after that entry."""
    entries = OutboxEntry.objects.using(database())
    if after is None:
        wanted = entries.filter(written_at__gt=DatabaseNow() - KEEP)
    else:
        wanted = entries.filter(Q(written_at__gt=DatabaseNow() - RECENT) | Q(id__gt=after))
    return dict(wanted.values_list("id", "digest"))


def empty_outbox() -> None:
    """Forget what no copy can be as old as."""
    OutboxEntry.objects.using(database()).filter(written_at__lt=DatabaseNow() - KEEP).delete()


def prune() -> int:
    """Delete sessions that have expired, and old entries of the outbox; return how many sessions."""
    empty_outbox()
    expired = all_sessions().filter(expires_at__lte=timezone.now())
    return sum(expired.filter(digest__in=digests).delete()[0] for digests in batches(expired))


def batches(sessions: QuerySet[Session]) -> Iterator[list[str]]:
    """Return the digests of sessions that are about to be deleted, few at a time: no statement locks many rows."""
    while digests := list(sessions.values_list("digest", flat=True)[:BATCH]):
        yield digests


def user_of(values: Values) -> str:
    """Return the key of the user who is logged in; nothing if nobody is."""
    return str(values.get(SESSION_KEY, ""))[:255]


def _record(rows: Any) -> Record | None:
    found = rows.values_list("text", "version", "expires_at").first()
    return Record(text=found[0], version=found[1], expires_at=found[2]) if found else None
