"""Which row is archived next, and what its copy looks like."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from resumes.archiving import archive_next
from resumes.models import Resume, ResumeBak, State

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


def add(id: int, **columns: str | None) -> None:
    Resume.objects.create(id=id, name=f"Person {id}", **columns)


def archived(item: int = 0, total: int = 1, parameter: str = "") -> list[int]:
    with transaction.atomic():
        return [row.id for row in archive_next(item, total, parameter)]


def test_the_row_with_the_lowest_id_is_first() -> None:
    for id in (7, 3, 5):
        add(id)
    assert [archived(), archived(), archived(), archived()] == [[3], [5], [7], []]


def test_the_row_stays_and_its_copy_has_every_column() -> None:
    add(17, sex="male", phone="13800000000", address="北京市", education="bachelor")
    archived()
    row, copy = Resume.objects.values().get(), ResumeBak.objects.values().get()
    assert row == copy
    assert copy == {
        "id": 17,
        "name": "Person 17",
        "sex": "male",
        "phone": "13800000000",
        "address": "北京市",
        "education": "bachelor",
        "state": "已归档",
    }


def test_rows_that_are_archived_or_have_no_state_are_left_alone() -> None:
    add(1, state=State.ARCHIVED)
    add(2, state=None)
    add(3)
    assert archived() == [3]
    assert archived() == []
    assert not ResumeBak.objects.exclude(id=3).exists()


def test_an_item_with_a_parameter_takes_the_rows_of_that_education() -> None:
    for id, education in enumerate(("doctor", "bachelor", None, "master", "bachelor"), start=1):
        add(id, education=education)
    assert [archived(0, 3, "bachelor") for _ in range(3)] == [[2], [5], []]


def test_items_without_parameters_share_the_rows_by_their_id() -> None:
    for id in range(1, 7):
        add(id)
    assert [archived(item, 3) for item in (0, 1, 2) for _ in range(3)] == [
        [3], [6], [], [1], [4], [], [2], [5], []
    ]  # fmt: skip


def test_a_row_that_was_set_back_is_archived_again_and_its_copy_is_the_later_one() -> None:
    add(1)
    archived()
    Resume.objects.update(name="Renamed", state=State.NOT_ARCHIVED)
    assert archived() == [1]
    assert ResumeBak.objects.get().name == "Renamed"


def test_a_row_that_somebody_else_archived_between_search_and_lock_is_passed_over() -> None:
    add(1)
    add(2)
    with connection.execute_wrapper(After(1, lambda: Resume.objects.filter(id=1).update(state=State.ARCHIVED))):
        assert archived() == [2]


def test_the_next_row_is_found_in_an_index() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("reads SQLite's query plan")
    add(1, education="bachelor")
    assert "USING COVERING INDEX resume_state " in plan_of_search(0, 1, "")
    assert "USING COVERING INDEX resume_state_education " in plan_of_search(0, 1, "bachelor")


def plan_of_search(item: int, total: int, parameter: str) -> str:
    with CaptureQueriesContext(connection) as queries:
        archive_next(item, total, parameter)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {queries[0]['sql']}")
        return "\n".join(str(step[-1]) for step in cursor.fetchall())


class After:
    """Acts once, after the `count`th query."""

    def __init__(self, count: int, act: Callable[[], object]) -> None:
        self.count = count
        self.act = act

    def __call__(self, execute: Callable[..., Any], *query: Any) -> Any:
        result = execute(*query)
        self.count -= 1
        if self.count == 0:
            self.act()
        return result
