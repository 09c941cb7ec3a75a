"""What the tests of the ports need to know of the database that is set."""

import pytest
from django.db import connection


@pytest.fixture
def several_writers() -> None:
    """Skip where every transaction is the only writer while it lasts, so that what the test does cannot happen."""
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite has one writer at a time")
