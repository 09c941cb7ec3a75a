"""The project's own settings, and the handler that instances are frozen in."""

from config.settings import *  # noqa: F403

INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "resumes"] + ["benchmarks.failover"]  # noqa: F405
