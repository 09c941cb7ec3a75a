"""The project's own settings, but that each replica keeps its sessions to itself: what the tier is there to mend."""

from config.settings import *  # noqa: F403

SESSION_ENGINE = "django.contrib.sessions.backends.cache"
SESSION_CACHE_ALIAS = "default"
