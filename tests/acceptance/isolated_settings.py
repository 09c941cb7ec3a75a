"""The project's own settings, and the jobs that run in processes instead of the sample's."""

from config.settings import *  # noqa: F403

INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "resumes"] + ["tests.acceptance.isolated"]  # noqa: F405
