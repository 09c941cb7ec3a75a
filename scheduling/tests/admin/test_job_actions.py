"""Enable, disable, run now, take the code's values: what they do, and what they say."""

from dataclasses import replace

import pytest
from django.db import OperationalError

from scheduling.database import configuration
from scheduling.database.declarations import sync
from scheduling.models import Execution, Fire
from scheduling.runtime.handlers import HANDLERS
from scheduling.tests.admin.conftest import act, again, execution, fire, post, said, saved, url

pytestmark = pytest.mark.django_db


def test_disabling_cancels_what_is_pending_and_says_what_becomes_of_the_rest(
    admin_client, django_capture_on_commit_callbacks
):
    row = saved(sharding_total_count=3)
    opened = fire(row, "open")
    pending, running = execution(opened, "pending", 0), execution(opened, "running", 1)

    with django_capture_on_commit_callbacks(execute=True):
        response = act(admin_client, "disable", row)

    assert said(response) == [
        "Job nightly is disabled. 1 running execution goes on to its end. 1 pending or waiting execution is cancelled."
    ]
    assert not again(row).cursor.enabled
    assert again(row).changed_fields == ["enabled"]
    assert Execution.objects.get(pk=pending.pk).state == "cancelled"
    assert Execution.objects.get(pk=running.pk).state == "running"


def test_what_a_person_sets_while_the_code_is_gone_stays_when_the_code_comes_back(admin_client, monkeypatch):
    row = saved()
    declared = HANDLERS["nightly"]
    monkeypatch.delitem(HANDLERS, "nightly")
    act(admin_client, "disable", row)
    sync([declared])
    assert not again(row).enabled


def test_enabling_moves_the_cursor_so_that_nothing_fires_for_the_past(admin_client):
    row = saved(enabled=False)
    assert said(act(admin_client, "enable", row)) == ["Job nightly is enabled."]
    assert again(row).cursor.enabled
    assert again(row).cursor.counted_to > row.cursor.counted_to
    assert not Fire.objects.filter(job=row).exists()


def test_a_job_that_is_so_already_is_left_alone(admin_client):
    row = saved()
    assert said(act(admin_client, "enable", row)) == ["Job nightly was enabled already."]
    assert again(row).cursor.revision == row.cursor.revision


def test_a_job_that_cannot_be_meant_is_not_enabled(admin_client):
    row = saved(enabled=False)
    row.__class__.objects.filter(pk=row.pk).update(cron="nonsense")
    (message,) = said(act(admin_client, "enable", row))
    assert message.startswith("Job nightly: field")
    assert not again(row).enabled


def test_run_now_opens_a_fire_with_all_items_that_says_who_asked(admin_client):
    row = saved(sharding_total_count=3)
    response = act(admin_client, "run_now", row)
    asked = Fire.objects.get(job=row)
    assert (asked.kind, asked.asked_by, asked.state) == ("manual", "admin", "open")
    assert Execution.objects.filter(fire=asked, state="pending").count() == 3
    assert url("fire", "change", asked.pk) in said(response)[0]


def test_a_double_click_is_one_fire(admin_client):
    row = saved()
    act(admin_client, "run_now", row, key=4711)
    act(admin_client, "run_now", row, key=4711)
    assert Fire.objects.filter(job=row).count() == 1


def test_asking_again_from_a_new_page_is_another_fire(admin_client):
    row = saved()
    act(admin_client, "run_now", row)
    act(admin_client, "run_now", row)
    assert Fire.objects.filter(job=row).count() == 2


@pytest.mark.parametrize("key", ["", "0", "-1", "x", str(2**63), "9" * 500, "٣"])
def test_a_request_without_its_key_runs_nothing_and_says_so(admin_client, key):
    row = saved()
    assert said(act(admin_client, "run_now", row, key=key))
    assert not Fire.objects.filter(job=row).exists()


def test_a_disabled_job_is_named_and_not_run_while_the_others_are(admin_client):
    off, on = saved("off", enabled=False), saved("on")
    response = act(admin_client, "run_now", off, on)
    assert said(response)[0] == "Job off is disabled: enable it first, then run it."
    assert not Fire.objects.filter(job=off).exists()
    assert Fire.objects.filter(job=on).count() == 1


def test_the_code_s_values_come_back_and_are_forgotten_as_changes(admin_client):
    row = saved(sharding_total_count=2)
    post(admin_client, url("job", "change", row.pk), cron="0 30 4 * * ?")
    assert said(act(admin_client, "take_the_codes", row)) == ["Job nightly: updated: cron"]
    assert again(row).cron == "0 0 3 * * ?"
    assert again(row).changed_fields == []


def test_values_that_the_code_cannot_mean_are_not_taken(admin_client, monkeypatch):
    row = saved(changed_fields=["cron"])
    monkeypatch.setitem(HANDLERS, "nightly", replace(HANDLERS["nightly"], cron="nonsense"))
    (message,) = said(act(admin_client, "take_the_codes", row))
    assert message.startswith("Job nightly: field")
    assert again(row).changed_fields == ["cron"]


def test_a_job_that_no_code_declares_has_no_values_to_take(admin_client):
    row = saved("by-hand")
    assert said(act(admin_client, "take_the_codes", row)) == [
        "Job by-hand: no code declares it, so there are no values to take"
    ]


def test_actions_are_in_the_history_of_the_job(admin_client):
    row = saved()
    act(admin_client, "disable", row)
    assert "Changed Enabled." in admin_client.get(url("job", "history", row.pk)).content.decode()


def test_a_database_that_gives_no_answer_to_one_job_is_said_and_the_others_go_on(admin_client, monkeypatch):
    first, second = saved("first"), saved("second")
    save = configuration.save

    def locked(row):
        if row.name == "first":
            raise OperationalError("database is locked")
        return save(row)

    monkeypatch.setattr(configuration, "save", locked)
    messages = said(act(admin_client, "disable", first, second))
    assert "database is locked" in messages[0]
    assert messages[1].startswith("Job second is disabled.")
    assert (again(first).enabled, again(second).enabled) == (True, False)


@pytest.mark.parametrize("action", ["enable", "run_now", "delete_selected"])
@pytest.mark.parametrize("selected", ["abc", "\0", "9" * 25, "9" * 5_000])
def test_what_can_be_no_job_is_refused_in_a_sentence(admin_client, action, selected):
    saved()
    response = admin_client.post(
        url("job", "changelist"), {"action": action, "_selected_action": [selected]}, follow=True
    )
    assert response.status_code == 200
    assert said(response)[0].startswith("Nothing was")


@pytest.mark.parametrize("key", ["", "abc", "0" * 19 + "1" + "9" * 30, "9" * 19, "-1"])
def test_a_key_that_the_page_did_not_give_runs_nothing(admin_client, key):
    row = saved()
    admin_client.post(url("job", "changelist"), {"action": "run_now", "_selected_action": [row.pk], "key": key})
    assert not Fire.objects.exists()


@pytest.mark.parametrize("model", ["job", "fire", "execution"])
def test_a_number_in_the_address_that_no_row_can_have_is_no_error(admin_client, model):
    response = admin_client.get(url(model, "changelist"), {"fire": "9" * 25, "job": "9" * 25}, follow=True)
    assert response.status_code == 200
