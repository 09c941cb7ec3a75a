"""The project's own settings, and pages that say what a replica was asked, slowly if they are to."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "tests.acceptance.tier_urls"
