"""Django's `cached_db` sessions with a client that takes a failing Redis for an empty one."""

from benchmarks.sessions.settings.cached_db import *  # noqa: F403

DJANGO_REDIS_IGNORE_EXCEPTIONS = True
CACHES["sessions"]["OPTIONS"]["IGNORE_EXCEPTIONS"] = True  # noqa: F405
