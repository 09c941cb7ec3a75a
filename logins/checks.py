"""System checks: what would log people out, or cost them time, is said before anything runs.

W001-W009 are about the settings; W010-W019, which `check --deploy` adds, ask Redis and the database.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import Error as DatabaseFailure
from django.utils.translation import gettext as _

from logins.copies import is_redis
from logins.keys import foreign_keys
from logins.status import Server, server

ENGINE = "logins.engine"
JSON = "django.contrib.sessions.serializers.JSONSerializer"
LONGEST_SECONDS = 1.0
LEAST_CONNECTIONS = 16
POOL = "redis.connection.ConnectionPool"


@register(Tags.caches)
def check_settings(**_options: Any) -> list[CheckMessage]:
    """Check the session settings, and those of the cache that is their Redis."""
    if settings.SESSION_ENGINE != ENGINE:
        return []
    alias = settings.SESSION_CACHE_ALIAS
    cache = settings.CACHES[alias] if is_redis(alias) else None
    return [*_serializer_problems(), *(cache_problems(alias, settings.CACHES) if cache else [])]


@register(Tags.security, deploy=True)
def check_redis(**_options: Any) -> list[CheckMessage]:
    """Ask Redis how it is set."""
    alias = settings.SESSION_CACHE_ALIAS
    if settings.SESSION_ENGINE != ENGINE or not is_redis(alias):
        return []
    return list(server_problems(server(alias)))


@register(Tags.security, deploy=True)
def check_secret_keys(**_options: Any) -> list[CheckMessage]:
    """Check that no replica makes logins that this one would end."""
    if settings.SESSION_ENGINE != ENGINE:
        return []
    try:
        foreign = foreign_keys()
    except DatabaseFailure:  # before `migrate`, or away: other checks speak of that
        return []
    if not foreign:
        return []
    return [
        Warning(
            _("SECRET_KEY is not that of all replicas: there were logins of the last day under another one."),
            hint=_(
                "Give all replicas the same SECRET_KEY. While it changes, each must have the other one in "
                "SECRET_KEY_FALLBACKS; and leave the former one there for a day."
            ),
            id="logins.W012",
        )
    ]


def cache_problems(alias: str, configured: Mapping[str, Any]) -> Iterator[CheckMessage]:
    """Return what is wrong with the description of a Redis."""
    options = configured[alias].get("OPTIONS", {})
    yield from _timeout_problems(alias, options)
    yield from _pool_problems(alias, options)
    yield from _pickle_problems(alias, options)
    yield from _sharing_problems(alias, configured)


def _serializer_problems() -> Iterator[CheckMessage]:
    if settings.SESSION_SERIALIZER != JSON:
        yield Warning(
            _("SESSION_SERIALIZER is %(value)r, and is not used: sessions are JSON.")
            % {"value": settings.SESSION_SERIALIZER},
            hint=_("Leave SESSION_SERIALIZER out, and keep in sessions only what JSON can hold."),
            id="logins.W001",
        )


def _timeout_problems(alias: str, options: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for name in ("SOCKET_CONNECT_TIMEOUT", "SOCKET_TIMEOUT"):
        seconds = options.get(name)
        if not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_SECONDS:
            yield Warning(
                _("CACHES[%(alias)r] has %(name)s = %(seconds)r: a Redis that hangs holds requests for so long.")
                % {"alias": alias, "name": name, "seconds": seconds},
                hint=_("Write '%(name)s': 0.25 into its OPTIONS.") % {"name": name},
                id="logins.W002",
            )


def _pool_problems(alias: str, options: Mapping[str, Any]) -> Iterator[CheckMessage]:
    pool = options.get("CONNECTION_POOL_KWARGS", {}).get("max_connections")
    blocks = options.get("CONNECTION_POOL_CLASS", POOL) != POOL
    if pool is not None and pool < LEAST_CONNECTIONS and not blocks:
        yield Warning(
            _("CACHES[%(alias)r] has max_connections = %(pool)r: with more threads than that, some find no free one.")
            % {"alias": alias, "pool": pool},
            hint=_("Leave max_connections out, or make it %(least)s or more.") % {"least": LEAST_CONNECTIONS},
            id="logins.W003",
        )


def _pickle_problems(alias: str, options: Mapping[str, Any]) -> Iterator[CheckMessage]:
    if "json" not in str(options.get("SERIALIZER", "pickle")).lower():
        yield Warning(
            _("CACHES[%(alias)r] pickles what is put there: whoever can write into Redis can run code here.")
            % {"alias": alias},
            hint=_("Write 'SERIALIZER': 'django_redis.serializers.json.JSONSerializer' into its OPTIONS."),
            id="logins.W004",
        )


def _sharing_problems(alias: str, configured: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for other, description in configured.items():
        if other != alias and description.get("LOCATION") == configured[alias].get("LOCATION"):
            yield Warning(
                _("CACHES[%(other)r] is the same Redis database as CACHES[%(alias)r]: clear() of the one empties both.")
                % {"other": other, "alias": alias},
                hint=_("Give sessions a Redis, or at least a database number, of their own."),
                id="logins.W005",
            )


def server_problems(said: Server | str) -> Iterator[CheckMessage]:
    """Return what is wrong with how a Redis is set, or that it cannot be asked."""
    if isinstance(said, str):
        yield Warning(
            _("The Redis of SESSION_CACHE_ALIAS cannot be asked (%(why)s): sessions are read from the database.")
            % {"why": said},
            hint=_("Start it, or mend its address."),
            id="logins.W010",
        )
    elif said.eviction_policy != "noeviction":
        yield Warning(
            _("The Redis of sessions has maxmemory-policy %(policy)s: where memory is short it throws sessions away.")
            % {"policy": said.eviction_policy},
            hint=_("Set maxmemory-policy noeviction: what finds no room in Redis is read from the database."),
            id="logins.W011",
        )
