"""Deleting a job retires it; adding one of its name takes it up again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from scheduling.database import configuration
from scheduling.domain.errors import ClockAhead
from scheduling.models import Execution, Item, Job
from scheduling.tests.admin.conftest import act, again, execution, fire, post, saved, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def retired(admin_client, django_capture_on_commit_callbacks) -> Job:
    row = saved("once", sharding_total_count=2)
    Item.objects.filter(job=row).update(token=7)
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(url("job", "delete", row.pk), {"post": "yes"})
    return again(row)


def test_a_deleted_job_is_hidden_and_keeps_its_items_and_tokens(admin_client, retired):
    assert retired.retired_at
    assert not retired.cursor.enabled
    assert "once" not in [row.name for row in admin_client.get(url("job", "changelist")).context["cl"].result_list]
    assert admin_client.get(url("job", "change", retired.pk)).status_code == 302
    assert list(Item.objects.filter(job=retired).values_list("token", flat=True)) == [7, 7]


def test_a_job_of_the_same_name_takes_it_up_again(admin_client, retired):
    post(admin_client, url("job", "add"), name="once", handler="nightly", cron="0 0 5 * * ?", sharding_total_count=3)
    row = again(retired)
    assert row.retired_at is None
    assert row.cron == "0 0 5 * * ?"
    assert row.cursor.enabled
    assert row.cursor.revision > retired.cursor.revision
    assert list(Item.objects.filter(job=row).order_by("number").values_list("token", flat=True)) == [7, 7, 0]


def test_a_retired_name_with_a_mistake_in_the_form_stays_retired(admin_client, retired):
    post(admin_client, url("job", "add"), name="once", handler="nightly", cron="nonsense")
    assert again(retired).retired_at


def test_a_name_that_is_in_use_is_refused(admin_client):
    row = saved("once")
    post(admin_client, url("job", "add"), name="once", handler="nightly", cron="0 0 5 * * ?")
    assert again(row).cron == "0 0 3 * * ?"


def test_the_confirmation_says_what_happens_in_numbers(admin_client):
    row = saved()
    opened = fire(row, "open")
    execution(opened, "running", 0)
    execution(opened, "pending", 1)
    for page in (admin_client.get(url("job", "delete", row.pk)), act(admin_client, "delete_selected", row)):
        text = page.content.decode()
        assert "1 running execution goes on to its end." in text
        assert "1 pending or waiting execution is cancelled." in text
        assert "Retire" in text


def test_nothing_is_retired_by_a_clock_that_is_far_ahead(admin_client, monkeypatch):
    row = saved()
    monkeypatch.setattr(configuration, "database_now", lambda: timezone.now() + timedelta(days=1))
    alone = admin_client.post(url("job", "delete", row.pk), {"post": "yes"})
    selected = act(admin_client, "delete_selected", row, post="yes")
    for page in (alone, selected):
        assert "86400 s ahead of this machine" in page.content.decode()
    assert again(row).retired_at is None
    with pytest.raises(ClockAhead):
        configuration.retire(again(row))


def test_several_jobs_are_retired_at_once(admin_client, django_capture_on_commit_callbacks):
    rows = [saved("one"), saved("two")]
    waiting = execution(fire(rows[0], "open"), "waiting")
    with django_capture_on_commit_callbacks(execute=True):
        act(admin_client, "delete_selected", *rows, post="yes")
    assert all(again(row).retired_at for row in rows)
    assert Execution.objects.get(pk=waiting.pk).reason == "retired"
