"""Django's `cache` sessions, in the same Redis by the same client."""

from benchmarks.sessions.settings.common import *  # noqa: F403

SESSION_ENGINE = "django.contrib.sessions.backends.cache"
