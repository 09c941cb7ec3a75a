"""Items that archive at the same time, each on a connection of its own."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from resumes.archiving import archive_next
from resumes.models import Resume, ResumeBak

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.mariadb]

SECONDS = 20


@pytest.fixture(autouse=True)
def needs_row_locks() -> None:
    if not connection.features.has_select_for_update:
        pytest.skip("every transaction is the only writer here")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def archive(item: int, total: int, parameter: str, meanwhile: Callable[[], object] = lambda: None) -> list[int]:
    try:
        with transaction.atomic():
            ids = [row.id for row in archive_next(item, total, parameter)]
            meanwhile()
        return ids
    finally:
        connection.close()


def test_items_of_the_same_education_never_take_the_same_row(pool: ThreadPoolExecutor) -> None:
    for id in range(1, 41):
        Resume.objects.create(id=id, education="bachelor")
    taken = [pool.submit(archive, item % 4, 4, "bachelor") for item in range(40)]
    assert sorted(id for ids in taken for id in ids.result(SECONDS)) == list(range(1, 41))
    assert ResumeBak.objects.count() == 40


def test_an_item_that_is_frozen_while_it_holds_a_row_stops_no_other_item(pool: ThreadPoolExecutor) -> None:
    for id in (2, 3):
        Resume.objects.create(id=id)
    holds, goes_on = threading.Event(), threading.Event()

    def freeze() -> None:
        holds.set()
        goes_on.wait(SECONDS)

    frozen = pool.submit(archive, 0, 2, "", freeze)
    try:
        assert holds.wait(SECONDS)
        assert pool.submit(archive, 1, 2, "").result(SECONDS / 2) == [3]
    finally:
        goes_on.set()
    assert frozen.result(SECONDS) == [2]
