"""`manage.py seedresumes`: what it adds, and what it says to a wrong number."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import translation

from resumes.models import Education, Resume, Sex, State

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


def seed(*arguments: Any) -> str:
    output = StringIO()
    call_command("seedresumes", *arguments, stdout=output)
    return output.getvalue().strip()


def people() -> list[tuple[Any, ...]]:
    return list(Resume.objects.order_by("id").values_list("name", "sex", "phone", "address", "education"))


def test_it_adds_as_many_resumes_as_asked_and_says_how_many() -> None:
    assert seed("1234") == "added 1234 resumes"
    assert Resume.objects.count() == 1234


def test_none_added_is_an_answer() -> None:
    assert seed("0") == "added 0 resumes"
    assert not Resume.objects.exists()


def test_all_educations_both_sexes_and_names_of_both_languages_occur() -> None:
    seed("200", "--seed", "a")
    assert set(Resume.objects.values_list("education", flat=True)) == set(Education.values)
    assert set(Resume.objects.values_list("sex", flat=True)) == set(Sex.values)
    assert {name.isascii() for name in Resume.objects.values_list("name", flat=True) if name} == {True, False}


def test_phone_and_address_go_with_the_name() -> None:
    seed("200", "--seed", "a")
    for name, _, phone, address, _ in people():
        assert phone.startswith("+1 ") == name.isascii() == address.isascii()


def test_no_seeded_row_is_archived() -> None:
    seed("50")
    assert set(Resume.objects.values_list("state", flat=True)) == {State.NOT_ARCHIVED}


def test_the_same_seed_makes_the_same_people() -> None:
    seed("20", "--seed", "2026")
    seed("20", "--seed", "2026")
    assert people()[:20] == people()[20:]


def test_without_a_seed_the_people_differ() -> None:
    seed("20")
    seed("20")
    assert people()[:20] != people()[20:]


def test_if_empty_adds_nothing_to_a_table_with_rows_and_says_so() -> None:
    assert seed("3", "--if-empty") == "added 3 resumes"
    assert seed("3", "--if-empty") == "there are resumes already: none added"
    assert Resume.objects.count() == 3


@pytest.mark.parametrize("count", ["-1", "1000001"])
def test_a_count_out_of_range_is_refused_with_the_range(count: str) -> None:
    with pytest.raises(CommandError, match=f"{count} is outside 0 to 1,000,000"):
        seed(count)


@pytest.mark.parametrize("count", ["abc", "1e3", "", "ten\nthousand"])
def test_a_count_that_is_no_whole_number_is_refused_with_an_example(count: str) -> None:
    with pytest.raises(CommandError, match="is not a whole number: write one from 0 to 1,000,000, like 1000"):
        seed(count)


@pytest.mark.django_db(transaction=True)
def test_a_database_without_the_table_is_told_to_migrate() -> None:
    with connection.schema_editor() as editor:
        editor.delete_model(Resume)
    try:
        with pytest.raises(CommandError, match=r"after 0 of 5 resumes .*manage.py migrate"):
            seed("5")
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(Resume)


def test_it_speaks_chinese_where_the_project_does() -> None:
    with translation.override("zh-hans"):
        assert seed("2") == "已添加 2 份简历"
