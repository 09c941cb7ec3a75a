"""The database that the tests of the ports run on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from scheduling.models import (
    Assignment,
    Cursor,
    Execution,
    Fire,
    Instance,
    Item,
    Job,
    Leadership,
    Marker,
    Registration,
    Snapshot,
)

ALWAYS_EMPTY = (Marker, Execution, Fire, Instance, Assignment, Leadership, Registration, Snapshot)


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let the test commit to the scheduling tables, and leave them as they were.

    pytest-django's own flushes all tables and has the jobs declared again, which takes longer than most tests here.
    """
    with django_db_blocker.unblock():
        declared = sorted(Job.objects.values_list("id", flat=True))
        yield
        with transaction.atomic():
            for model in ALWAYS_EMPTY:
                model.objects.all().delete()
            for of_a_job in (Cursor, Item):
                of_a_job.objects.exclude(job__in=declared).delete()
            Job.objects.exclude(id__in=declared).delete()


@pytest.fixture
def several_writers(transactional_db: None) -> None:
    """Skip where every transaction is the only writer while it lasts, so that what the test does cannot happen."""
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite has one writer at a time")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Lend threads that act beside the test's own."""
    with ThreadPoolExecutor(4) as pool:
        yield pool
