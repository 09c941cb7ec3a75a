"""Where sessions are copied to: the cache alias that `logins.engine` reads."""

from typing import Any

SECONDS_TO_ANSWER = 0.25
"""For Redis, before the database is asked instead."""


def caches(redis_url: str) -> dict[str, Any]:
    """Return `CACHES`: an alias for sessions where there is a Redis, and a cache within the process for all else."""
    found: dict[str, Any] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    if redis_url:
        found["sessions"] = {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": redis_url,
            "KEY_PREFIX": "scheduling",
            "OPTIONS": {
                "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
                "SOCKET_CONNECT_TIMEOUT": SECONDS_TO_ANSWER,
                "SOCKET_TIMEOUT": SECONDS_TO_ANSWER,
            },
        }
    return found
