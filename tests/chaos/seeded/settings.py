"""The rig's settings, with the bug that SEEDED_BUG names."""

import os

from chaos.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, f"tests.chaos.seeded.apps.{os.environ['SEEDED_BUG']}"]  # noqa: F405
