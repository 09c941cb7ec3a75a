"""The two tables in the admin."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from resumes.models import Resume, ResumeBak

pytestmark = pytest.mark.django_db

LISTS = ["admin:resumes_resume_changelist", "admin:resumes_resumebak_changelist"]


@pytest.fixture
def admin(client: Client) -> Iterator[Client]:
    client.force_login(User.objects.create_superuser("admin"))
    # A request leaves its language behind in this thread.
    with translation.override("en"):
        yield client


@pytest.fixture(autouse=True)
def row() -> Resume:
    ResumeBak.objects.create(id=17, name="Li Wei", education="bachelor", state="已归档")
    return Resume.objects.create(id=17, name="Li Wei", education="bachelor", state="已归档")


def page(admin: Client, url: str, **query: str) -> str:
    response = admin.get(url, query)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("url", LISTS)
def test_a_list_shows_the_rows(admin: Client, url: str) -> None:
    assert "Li Wei" in page(admin, reverse(url))


@pytest.mark.parametrize(("query", "found"), [("li", True), ("Wei", False)])
def test_a_search_finds_the_beginning_of_a_name(admin: Client, query: str, found: bool) -> None:
    assert ("Li Wei" in page(admin, reverse(LISTS[0]), q=query)) == found


@pytest.mark.parametrize(("state", "found"), [("已归档", True), ("未归档", False)])
def test_a_list_is_filtered_by_state(admin: Client, state: str, found: bool) -> None:
    assert ("Li Wei" in page(admin, reverse(LISTS[0]), state__exact=state)) == found


def test_a_filtered_list_does_not_count_the_whole_table(admin: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        page(admin, reverse(LISTS[0]), education__exact="bachelor")
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert all("WHERE" in sql for sql in counts)


def test_an_archived_resume_can_be_looked_at_but_not_written(admin: Client) -> None:
    url = reverse("admin:resumes_resumebak_change", args=[17])
    assert 'name="_save"' not in page(admin, url)
    assert admin.post(url, {"name": "Other"}).status_code == 403
    assert admin.get(reverse("admin:resumes_resumebak_add")).status_code == 403
    assert admin.get(reverse("admin:resumes_resumebak_delete", args=[17])).status_code == 403


def test_a_resume_can_be_set_back_to_be_archived_again(admin: Client, row: Resume) -> None:
    admin.post(reverse("admin:resumes_resume_change", args=[17]), {"name": "Li Wei", "state": "未归档"})
    row.refresh_from_db()
    assert row.state == "未归档"


def test_a_chinese_reader_reads_chinese(admin: Client) -> None:
    response = admin.get(reverse(LISTS[0]), headers={"accept-language": "zh-hans"})
    text = response.content.decode()
    for word in ("简历", "姓名", "性别", "电话", "地址", "学历", "本科", "状态", "已归档"):
        assert word in text


def test_the_migrations_are_what_the_models_need() -> None:
    call_command("makemigrations", "resumes", check=True, dry_run=True, verbosity=0)
