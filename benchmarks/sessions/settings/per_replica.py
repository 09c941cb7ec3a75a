"""Sessions that each replica keeps to itself, for the demonstration."""

from benchmarks.sessions.settings.common import *  # noqa: F403

SESSION_ENGINE = "django.contrib.sessions.backends.cache"
SESSION_CACHE_ALIAS = "default"  # within the process
