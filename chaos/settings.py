"""The project's own settings, and the handlers of the rig instead of the sample's."""

from config.settings import *  # noqa: F403

INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "resumes"] + ["chaos"]  # noqa: F405
