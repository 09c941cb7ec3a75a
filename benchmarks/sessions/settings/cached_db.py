"""Django's `cached_db` sessions, in the same Redis by the same client, and in the same database."""

from benchmarks.sessions.settings.common import *  # noqa: F403

SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
