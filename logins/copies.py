"""Copies of sessions in Redis, which requests read; the only import of a Redis client.

Under a session's key stands nothing, a *copy*, or a *reservation*: one process's right to put a copy there soon.

    nothing                  --reserve->  reservation  before the database is read
    nothing | copy           --seize--->  reservation  before a change is written into the database
    reservation (own)        --put----->  copy         what was read or written: not older than the reservation
    copy (older)             --put----->  copy
    reservation (another's)  --put----->  nothing      its holder may have read before this change was written
    anything                 --drop---->  nothing      after a session has ended

A copy comes into being only out of a reservation that was made before the database was read, and `drop` takes those
too. So once a session has ended in the database and its key was dropped, no process that read it before can put it
back, however late it comes.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from django.conf import settings
from django.core.cache import caches
from django.utils import timezone
from django_redis.cache import RedisCache
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from logins.record import COPY_SECONDS, Record, parsed, written

RESERVATION_SECONDS = 5
SHORTEST_SECONDS = 0.001
"""Redis counts in milliseconds; a copy that would live shorter is none."""

PUT = """
local found = redis.call('GET', KEYS[1])
if not found then return 0 end
local version = tonumber(string.match(found, '^(%d+) '))
if found == ARGV[1] or (version and version < tonumber(ARGV[2])) then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  return 1
end
if not version then redis.call('DEL', KEYS[1]) end
return 0
"""


class CopiesUnavailable(Exception):
    """Redis did not do as asked: it is away, too slow, or still loading."""


class CopiesFull(CopiesUnavailable):
    """Redis has no room for more; what it has can be read and dropped."""


class Copies(Protocol):
    """What is asked of Redis; each method may raise `CopiesUnavailable`."""

    def get(self, digest: str) -> Record | None:
        """Return the copy, if one stands there."""

    def reserve(self, digest: str) -> str:
        """Reserve the key where nothing stands, and return the reservation; an empty one if something does."""

    def seize(self, digest: str) -> str:
        """Reserve the key whatever stands there, and return the reservation."""

    def put(self, digest: str, record: Record, reservation: str) -> bool:
        """Put a copy in place of the reservation or of an older copy; return True, also if neither stands there.

        It stays until the session expires, but for `COPY_SECONDS` at most.
        """

    def drop(self, digests: Sequence[str]) -> str:
        """Drop copies and reservations; return which server did, by a name that is new whenever it has started anew."""


class RedisCopies:
    """The copies in the Redis of a cache alias of django-redis."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._server = ""

    def get(self, digest: str) -> Record | None:
        found = parsed(self._ask(lambda redis, key: _text_at(redis, key(digest))))
        return found if found and found.expires_at > timezone.now() else None

    def reserve(self, digest: str) -> str:
        reservation = new_reservation()
        taken = self._ask(lambda redis, key: redis.set(key(digest), reservation, nx=True, ex=RESERVATION_SECONDS))
        return reservation if taken else ""

    def seize(self, digest: str) -> str:
        reservation = new_reservation()
        self._ask(lambda redis, key: redis.set(key(digest), reservation, ex=RESERVATION_SECONDS))
        return reservation

    def put(self, digest: str, record: Record, reservation: str) -> bool:
        seconds = min((record.expires_at - timezone.now()).total_seconds(), COPY_SECONDS)
        arguments = (reservation, record.version, written(record), int(seconds * 1000))
        if seconds >= SHORTEST_SECONDS:
            self._ask(lambda redis, key: redis.eval(PUT, 1, key(digest), *arguments))
        return True

    def drop(self, digests: Sequence[str]) -> str:
        server = str(self._ask(lambda redis, key: _drop(redis, list(map(key, digests)))))
        if self._server not in ("", server):  # connections may still lead to the server of before
            self._ask(lambda redis, key: redis.connection_pool.disconnect(inuse_connections=False))
        self._server = server
        return server

    def described(self) -> dict[str, Any]:
        """Return what the server says of itself."""
        return dict(self._ask(lambda redis, key: redis.info()))

    def _ask(self, ask: Callable[[Any, Callable[[str], str]], Any]) -> Any:
        """Ask with this thread's client, and what makes a key of a digest; turn failures into `CopiesUnavailable`."""
        cache: Any = caches[self.alias]
        try:
            return ask(cache.client.get_client(), cache.make_key)
        except OutOfMemoryError as error:
            raise CopiesFull(str(error)) from error
        except (RedisError, OSError) as error:
            raise CopiesUnavailable(f"{type(error).__name__}: {error}") from error


def is_redis(alias: str) -> bool:
    """Is the cache of this name one of django-redis?"""
    return alias in settings.CACHES and isinstance(caches[alias], RedisCache)


def _text_at(redis: Any, key: str) -> bytes | None:
    """Return the text under a key; None for anything but a text, which nobody of us has put there."""
    try:
        found: bytes | None = redis.get(key)
    except ResponseError as error:
        if not str(error).startswith("WRONGTYPE"):
            raise
        return None
    return found


def _drop(redis: Any, keys: Sequence[str]) -> str:
    pipeline = redis.pipeline(transaction=False)
    pipeline.info("server")
    for key in keys:
        pipeline.delete(key)
    return str(pipeline.execute()[0]["run_id"])


def new_reservation() -> str:
    return f"reservation:{secrets.token_hex(8)}"
