import random
import time
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import override_settings

from deploy.servers.redis import Redis
from logins.copies import RedisCopies
from logins.models import Key, OutboxEntry, Session
from logins.tests.memory import Link, Memory


@pytest.fixture
def transactional_db(django_db_setup, django_db_blocker):
    """Let a test commit, and forget what it wrote; pytest-django's own empties every table there is."""
    with django_db_blocker.unblock():
        yield
        for model in (Session, OutboxEntry, Key, User):
            model.objects.all().delete()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture
def redis_alias(redis_server):
    """Lend the alias of an empty Redis."""
    redis_server.flush()
    described = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": redis_server.url,
        "OPTIONS": {"SOCKET_TIMEOUT": 1.0, "SOCKET_CONNECT_TIMEOUT": 1.0},
    }
    with override_settings(CACHES={"sessions": described}, SESSION_CACHE_ALIAS="sessions"):
        yield "sessions"
        caches.close_all()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.acceptance)])
def copies(request):
    """Lend each implementation of the copies."""
    if request.param == "memory":
        return Link(Memory(time.monotonic), random.Random(0))
    return RedisCopies(request.getfixturevalue("redis_alias"))
