"""The project's session engine."""

from benchmarks.sessions.settings.common import *  # noqa: F403

SESSION_ENGINE = "logins.engine"
