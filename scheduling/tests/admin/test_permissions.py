"""Who may do what."""

import pytest

from scheduling.models import Fire
from scheduling.tests.admin.conftest import act, again, filled_in, fire, saved, url

pytestmark = pytest.mark.django_db

MODELS = ["job", "fire", "execution", "instance"]


@pytest.mark.parametrize("model", MODELS)
def test_without_a_permission_nothing_is_seen(staff, model):
    assert staff().get(url(model, "changelist")).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_who_may_view_sees_the_list(staff, model):
    fire(saved())
    assert staff(f"view_{model}").get(url(model, "changelist")).status_code == 200


def test_who_may_only_view_sees_the_job_and_changes_nothing(staff):
    row = saved()
    client = staff("view_job")
    page = client.get(url("job", "change", row.pk))
    assert page.status_code == 200
    assert "_save" not in page.content.decode()
    assert client.post(url("job", "change", row.pk), {"cron": "0 30 4 * * ?"}).status_code == 403
    for action in ("enable", "disable", "run_now", "take_the_codes", "delete_selected"):
        act(client, action, row, key=1, post="yes")
    assert again(row).cursor.revision == row.cursor.revision
    assert not Fire.objects.filter(job=row).exists()


def test_who_may_change_is_not_thereby_allowed_to_run(staff):
    row = saved()
    client = staff("view_job", "change_job")
    act(client, "run_now", row, key=1)
    assert not Fire.objects.filter(job=row).exists()
    act(client, "disable", row)
    assert not again(row).enabled


def test_who_may_run_is_not_thereby_allowed_to_change(staff):
    row = saved()
    client = staff("view_job", "run_job")
    act(client, "run_now", row, key=1)
    assert Fire.objects.get(job=row).asked_by == "staff"
    act(client, "disable", row)
    assert again(row).enabled


def test_who_may_change_can_save_without_being_allowed_to_add_or_delete(staff):
    row = saved()
    client = staff("view_job", "change_job")
    client.post(url("job", "change", row.pk), filled_in(client, url("job", "change", row.pk), cron="0 30 4 * * ?"))
    assert again(row).cron == "0 30 4 * * ?"
    assert client.get(url("job", "add")).status_code == 403
    assert client.post(url("job", "delete", row.pk), {"post": "yes"}).status_code == 403
