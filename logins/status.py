"""How sessions fare: whether Redis is believed, and what it is set to."""

from dataclasses import dataclass
from enum import Enum

from django.utils import timezone

from logins import records
from logins.copies import CopiesUnavailable, RedisCopies
from logins.engine import process_store
from logins.models import OutboxEntry


class RedisState(Enum):
    """What Redis is to this process: not configured, not believed at present, or believed."""

    UNUSED = "unused"
    AWAY = "away"
    BELIEVED = "believed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What a Redis says of itself."""

    version: str
    eviction_policy: str
    evicted: int
    memory: str
    keeps_log: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The sessions of all replicas, and Redis as this process sees it."""

    sessions: int
    expired: int
    outbox: int
    redis: RedisState


def status() -> Status:
    """Count sessions, and ask Redis."""
    sessions = records.all_sessions()
    now = timezone.now()
    return Status(
        sessions=sessions.filter(expires_at__gt=now).count(),
        expired=sessions.filter(expires_at__lte=now).count(),
        outbox=OutboxEntry.objects.using(records.database()).count(),
        redis=redis_state(),
    )


def redis_state() -> RedisState:
    """Say whether this process believes Redis now."""
    store = process_store()
    if store.gate is None:
        return RedisState.UNUSED
    return RedisState.BELIEVED if store.gate.is_open() else RedisState.AWAY


def server(alias: str) -> Server | str:
    """Return what the Redis of a cache alias says of itself, or why it does not."""
    try:
        said = RedisCopies(alias).described()
    except CopiesUnavailable as error:
        return str(error)
    return Server(
        version=str(said["redis_version"]),
        eviction_policy=str(said["maxmemory_policy"]),
        evicted=int(said["evicted_keys"]),
        memory=str(said["used_memory_human"]),
        keeps_log=bool(said["aof_enabled"]),
    )
