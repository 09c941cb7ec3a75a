"""What `SESSION_ENGINE = "logins.engine"` names: sessions that Redis answers for and the database keeps.

`SESSION_CACHE_ALIAS` names the cache of django-redis that is the Redis; with another cache the database is asked alone.
"""

import os
from datetime import datetime
from functools import cache
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.base import VALID_KEY_CHARS, CreateError, SessionBase, UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import transaction
from django.utils.crypto import constant_time_compare, get_random_string

from logins import records
from logins.changes import Values, changes
from logins.copies import RedisCopies, is_redis
from logins.gate import Gate
from logins.record import Record, digest_of
from logins.store import Store

ID_LENGTH = 32
TRIES = 5
"""An id that is taken is next to impossible; what is refused again and again is refused for another reason."""


@cache
def process_store() -> Store:
    """Return where this process reads and writes sessions."""
    alias = settings.SESSION_CACHE_ALIAS
    if not is_redis(alias):
        return Store()
    copies = RedisCopies(alias)
    return Store(copies, Gate(copies, records))


os.register_at_fork(after_in_child=process_store.cache_clear)  # another thread may have held a lock of its gate


class SessionStore(SessionBase):
    """One session of one request."""

    _seen: Record | None = None

    @property
    def store(self) -> Store:
        return process_store()

    def load(self) -> dict[str, Any]:
        """Return the session, from Redis where it answers, else from the database."""
        self._seen = self.store.read(self._digest)
        if self._seen is None:
            self._session_key = None
            return {}
        return self._seen.values

    def exists(self, session_key: str) -> bool:
        """Is there such a session in the database?"""
        return records.exists(digest_of(session_key))

    def create(self) -> None:
        """Write a new session under a new id."""
        self._create(self._values(no_load=True))

    def save(self, must_create: bool = False) -> None:
        """Write what this request has changed, over what others have written; `UpdateError` if it has ended."""
        if self.session_key is None:
            self._create(self._values(no_load=must_create))
        elif not must_create:
            self._change()
        elif not self._insert(self._values(no_load=True)):
            raise CreateError

    def delete(self, session_key: str | None = None) -> None:
        """End a session, on every replica."""
        if key := session_key or self.session_key:
            self.store.end([digest_of(key)])

    def cycle_key(self) -> None:
        """Go on under a new id, which it gets in the transaction that ends the old one.

        A login that a former SECRET_KEY vouches for keeps its id: only the hash in it is made anew. With a new id each
        request would end the session that the browser's other requests use, while replicas have different keys.
        """
        values, key = self._values(), self.session_key
        if self._is_vouched_for_by_a_former_key():
            self.modified = True
            return
        with transaction.atomic(using=records.database()):
            if key:
                self._take_over(values, digest_of(key))
            self._create(values)
            if key:
                self.delete(key)

    async def acycle_key(self) -> None:
        await sync_to_async(self.cycle_key)()

    @classmethod
    def clear_expired(cls) -> None:
        """Delete what has expired, for `clearsessions`."""
        records.prune()

    def _values(self, no_load: bool = False) -> dict[str, Any]:
        """Return what the session holds for this request, which the first call reads."""
        values: dict[str, Any] = self._get_session(no_load=no_load)  # type: ignore[attr-defined]
        return values

    @property
    def _digest(self) -> str:
        return digest_of(self.session_key or "")

    def _create(self, values: dict[str, Any]) -> None:
        for _ in range(TRIES):
            self._session_key = get_random_string(ID_LENGTH, VALID_KEY_CHARS)
            if self._insert(values):
                self.modified = True
                return
        raise CreateError

    def _insert(self, values: dict[str, Any]) -> bool:
        self._seen = records.insert(self._digest, values, self.get_expiry_date())
        return self._seen is not None

    def _change(self) -> None:
        values = self._values()
        seen = self._seen or records.read(self._digest)
        if self.session_key is None or seen is None:
            raise UpdateError
        written = self.store.change(self._digest, seen, changes(seen.values, values), self._expiry)
        if written is None:
            raise UpdateError
        if not records.is_within_transaction():  # it may be rolled back, and is then written again
            changes(values, written.values).apply_to(values)  # what others have written
            self._seen = written

    def _take_over(self, values: dict[str, Any], digest: str) -> None:
        """Add what others have written to the session of before; refuse if it is a login that has ended meanwhile."""
        standing = records.locked(digest)
        if standing is None and SESSION_KEY in values:
            raise SessionInterrupted("This login has ended while the request was under way.")
        if standing and self._seen:
            mine = changes(self._seen.values, values)
            changes(values, mine.applied(standing.values)).apply_to(values)

    def _expiry(self, values: Values) -> datetime:
        """Return when a session with these values expires, as Django counts it."""
        expiry: datetime = self.get_expiry_date(expiry=values.get("_session_expiry"))
        return expiry

    def _is_vouched_for_by_a_former_key(self) -> bool:
        """Was the hash in this login made, for the password that the user still has, with a former SECRET_KEY?"""
        values = self._values()
        if not settings.SECRET_KEY_FALLBACKS or SESSION_KEY not in values:
            return False
        user: Any = get_user_model()._default_manager.filter(pk=values[SESSION_KEY]).first()
        former = user.get_session_auth_fallback_hash() if hasattr(user, "get_session_auth_fallback_hash") else ()
        return any(constant_time_compare(values.get(HASH_SESSION_KEY, ""), fallback) for fallback in former)
