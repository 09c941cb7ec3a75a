"""Lets tests run with the defaults of the project, whatever `.env` says, on a database file that threads can share."""

import gc
import os
from pathlib import Path

import django
import environ
import pytest
from django.db import connection
from django.utils import translation

# Not left to pytest-django, which would load the settings before this file can say what is in the environment.
os.environ.setdefault("SECRET_KEY", "not-secret-only-tests-use-it")
environ.Env.read_env(Path(__file__).parent / ".env.example")
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()


def pytest_collection_finish():
    """Spare the garbage collector all that stays until the end: a seventh of the time of the fast tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory):
    """Put SQLite's test database into a file: each connection to one in memory would see a database of its own."""
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "db.sqlite3")


@pytest.fixture(autouse=True)
def languages_end_with_their_test():
    """A request leaves its language active in the thread, as only a next request would mend it."""
    yield
    translation.deactivate()
