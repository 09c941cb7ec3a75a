"""The project's own settings, another database, and the app that docs/exactly-once.md shows."""

import os

from config.databases import database
from config.environment import ROOT
from config.settings import *  # noqa: F403
from config.settings import DATABASES

INSTALLED_APPS += ["shop"]  # noqa: F405
DATABASES["books"] = database(os.environ["BOOKS_URL"], ROOT)
