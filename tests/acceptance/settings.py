"""The project's own settings and the probe's jobs."""

from config.settings import *  # noqa: F403

INSTALLED_APPS += ["tests.acceptance.probe"]  # noqa: F405
