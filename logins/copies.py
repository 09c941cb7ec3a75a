"""Copies of sessions in Redis, which requests read; the only import of a Redis client.

Under a session's key stands nothing, a *copy*, or a *lease*: one process's right to put a copy there for some seconds.

    nothing | copy      --seize-->  lease    before a change is written into the database
    nothing             --lease-->  lease    before the database is read
    lease (own)         --put---->  copy     what was written or read; so the copy is not older than the lease
    copy (older)        --put---->  copy
    lease (another's)   --put---->  nothing  whoever holds it may have read before this change was written
    anything            --drop--->  nothing  after a session has ended

A copy comes into being only out of a lease that was taken before the database was read, and `drop` takes leases too.
So once a session has ended in the database and its key was dropped, no process that read it before can put it back,
however late it comes.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from django.core.cache import caches
from django.utils import timezone
from redis.exceptions import RedisError

from logins.record import Record, parsed, written

COPY_SECONDS = 300
"""A copy lives for at most so long: by then it is read from the database again, and the outbox may forget."""

LEASE_SECONDS = 5
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
    """Redis did not do as asked: it is away, too slow, full, or still loading."""


class Copies(Protocol):
    """What is asked of Redis; each method may raise `CopiesUnavailable`."""

    def get(self, digest: str) -> Record | None:
        """Return the copy, if one stands there."""

    def lease(self, digest: str) -> str:
        """Take the lease where nothing stands, and return it; nothing if something does."""

    def seize(self, digest: str) -> str:
        """Take the lease whatever stands there, and return it."""

    def put(self, digest: str, record: Record, lease: str) -> bool:
        """Put a copy in place of the lease or of an older copy, if either stands there, and return True.

        It stays until the session expires, but for `COPY_SECONDS` at most.
        """

    def drop(self, digests: Sequence[str]) -> str:
        """Drop copies and leases; return which server did, by a name that is new whenever it has started anew."""


class RedisCopies:
    """The copies in the Redis of a cache alias of django-redis."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def get(self, digest: str) -> Record | None:
        return parsed(self._ask(lambda redis, key: redis.get(key(digest))))

    def lease(self, digest: str) -> str:
        lease = new_lease()
        taken = self._ask(lambda redis, key: redis.set(key(digest), lease, nx=True, ex=LEASE_SECONDS))
        return lease if taken else ""

    def seize(self, digest: str) -> str:
        lease = new_lease()
        self._ask(lambda redis, key: redis.set(key(digest), lease, ex=LEASE_SECONDS))
        return lease

    def put(self, digest: str, record: Record, lease: str) -> bool:
        seconds = min((record.expires_at - timezone.now()).total_seconds(), COPY_SECONDS)
        arguments = (lease, record.version, written(record), int(seconds * 1000))
        if seconds >= SHORTEST_SECONDS:
            self._ask(lambda redis, key: redis.eval(PUT, 1, key(digest), *arguments))
        return True

    def drop(self, digests: Sequence[str]) -> str:
        return str(self._ask(lambda redis, key: _drop(redis, list(map(key, digests)))))

    def info(self) -> dict[str, Any]:
        """Return what the server says of itself."""
        return dict(self._ask(lambda redis, key: redis.info()))

    def _ask(self, ask: Callable[[Any, Callable[[str], str]], Any]) -> Any:
        """Ask with this thread's client, and what makes a key of a digest; turn failures into `CopiesUnavailable`."""
        cache: Any = caches[self.alias]
        try:
            return ask(cache.client.get_client(), cache.make_key)
        except (RedisError, OSError) as error:
            raise CopiesUnavailable(f"{type(error).__name__}: {error}") from error


def _drop(redis: Any, keys: Sequence[str]) -> str:
    pipeline = redis.pipeline(transaction=False)
    pipeline.info("server")
    for key in keys:
        pipeline.delete(key)
    return str(pipeline.execute()[0]["run_id"])


def new_lease() -> str:
    return f"lease:{secrets.token_hex(8)}"
