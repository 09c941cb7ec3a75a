"""The project's own settings and the handlers of the benchmarks."""

from config.settings import *  # noqa: F403

INSTALLED_APPS += ["benchmarks"]  # noqa: F405
