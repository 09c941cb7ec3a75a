"""The settings of the acceptance tests, on a machine whose clock is wrong."""

from tests.acceptance.settings import *  # noqa: F403

INSTALLED_APPS = ["tests.acceptance.shifted", *INSTALLED_APPS]  # noqa: F405
