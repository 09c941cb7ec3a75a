"""The form in which a job is edited."""

import re
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from scheduling.database import configuration
from scheduling.domain.job import Isolation, OnTimeout
from scheduling.domain.retry import Backoff, Retry
from scheduling.models import Fire, Item, Job
from scheduling.tests.admin.conftest import act, again, errors_of, filled_in, post, said, saved, url

pytestmark = pytest.mark.django_db


def test_saving_raises_the_revision_and_moves_the_cursor(admin_client):
    row = saved()
    before = row.cursor

    response = post(admin_client, url("job", "change", row.pk), cron="0 30 4 * * ?")

    assert response.status_code == 200
    after = again(row)
    assert after.cron == "0 30 4 * * ?"
    assert after.cursor.revision == before.revision + 1
    assert after.cursor.counted_to > before.counted_to


def test_a_person_s_changes_of_a_declared_job_are_remembered_and_add_up(admin_client):
    row = saved()
    post(admin_client, url("job", "change", row.pk), cron="0 30 4 * * ?")
    post(admin_client, url("job", "change", row.pk), sharding_total_count=3, item_parameters="0=a,2=c")
    assert again(row).changed_fields == ["cron", "item_parameters", "sharding_total_count"]


def test_changes_of_a_job_that_no_code_declares_are_remembered_for_when_it_does(admin_client):
    row = saved("by-hand")
    post(admin_client, url("job", "change", row.pk), cron="0 30 4 * * ?")
    assert again(row).changed_fields == ["cron"]


def test_saving_without_a_change_leaves_the_cursor_alone(admin_client):
    row = saved()
    post(admin_client, url("job", "change", row.pk))
    assert again(row).cursor.revision == row.cursor.revision


def test_a_crontab_line_is_refused_with_the_line_to_write_and_stays_in_the_form(admin_client):
    row = saved()
    response = post(admin_client, url("job", "change", row.pk), cron="0 3 * * *")
    assert "write 0 0 3 * * ?" in errors_of(response)
    assert response.context["adminform"].form["cron"].value() == "0 3 * * *"
    assert again(row).cron == "0 0 3 * * ?"


def test_the_field_a_cron_message_names_is_translated(admin_client):
    row = saved()
    admin_client.cookies["django_language"] = "zh-hans"
    assert "秒" in errors_of(post(admin_client, url("job", "change", row.pk), cron="61 0 3 * * ?"))


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ({"sharding_total_count": 0}, "0 is not a whole number from 1 to 10000"),
        ({"sharding_total_count": 0, "item_parameters": "0=a"}, "0 is not a whole number from 1 to 10000"),
        ({"sharding_total_count": 100_000}, "100000 is not a whole number from 1 to 10000"),
        ({"item_parameters": "2=c"}, "'2=c' is for an item outside 0-0"),
        ({"item_parameters": "bachelor"}, "'bachelor' is not written item=parameter"),
        ({"time_zone": "Asia/Peking"}, "'Asia/Peking' is not an IANA time zone"),
        ({"time_zone": "../../etc/passwd"}, "is not an IANA time zone"),
        ({"handler": "nobody"}, "no code declares the handler 'nobody'"),
        ({"trigger_kind": "interval", "interval": 0}, "0 is not a whole number from 1 to 31622400"),
        ({"trigger_kind": "interval", "interval": 60, "time_zone": "Mars"}, "'Mars' is not an IANA time zone"),
        ({"trigger_kind": "date"}, "give the date"),
        ({"trigger_kind": "sometimes"}, "sometimes"),
        ({"strategy": "wild"}, "sharding strategy 'wild' is unknown: choose one of sticky"),
        ({"strategy": "own"}, "This field is required"),
        ({"strategy": "own", "strategy_path": "wild"}, "sharding strategy 'wild' is unknown"),
        ({"strategy": "own", "strategy_path": "nowhere.mine"}, "'nowhere.mine' can't be imported"),
        ({"strategy": "own", "strategy_path": "a." * 100 + "b"}, "200 characters"),
        ({"misfire": "wild"}, "wild"),
        ({"retries": 101}, "101 is not a whole number from 0 to 100"),
        ({"retries": "often"}, "'often' is not a whole number from 0 to 100"),
        ({"retry_delay": 10**6}, "1000000 is not a whole number from 0 to 604800"),
        ({"retry_delay_most": 10**6}, "1000000 is not a whole number from 0 to 604800"),
        ({"retry_backoff": "wild"}, "wild"),
        ({"timeout": 0}, "0 is not a whole number from 1 to 604800"),
        ({"timeout": 5, "on_timeout": "kill"}, "a thread cannot be killed"),
        ({"isolation": "jail"}, "jail"),
        ({"fire_all_most": 0}, "0 is not a whole number from 1 to 1000"),
        ({"fire_all_age": 10**9}, "1000000000 is not a whole number from 1 to 31622400"),
        ({"cron": ""}, "is missing"),
        ({"cron": "0 0 3 * * ？"}, "write 0 0 3 * * ?"),
        ({"cron": "0 " * 200}, "255 characters"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_value(admin_client, typed, named):
    row = saved()
    response = post(admin_client, url("job", "change", row.pk), **typed)
    assert response.status_code == 200
    assert named in errors_of(response)
    assert again(row).cursor.revision == row.cursor.revision


NUMBERS = {
    "interval": "1 to 31622400",
    "sharding_total_count": "1 to 10000",
    "fire_all_most": "1 to 1000",
    "fire_all_age": "1 to 31622400",
    "timeout": "1 to 604800",
    "retries": "0 to 100",
    "retry_delay": "0 to 604800",
    "retry_delay_most": "0 to 604800",
    "keep_days": "1 to 3660",
    "keep_fires": "1 to 10000000",
}


@pytest.mark.parametrize("kind", ["cron", "interval"])
@pytest.mark.parametrize("typed", ["abc", "1.5", "-1", "9" * 400, "9" * 5_000])
def test_a_number_that_cannot_be_meant_is_refused_once_by_its_value_and_the_limits(admin_client, typed, kind):
    fields = {"interval": 60, "trigger_kind": kind}
    page = post(admin_client, url("job", "change", saved().pk), **fields | dict.fromkeys(NUMBERS, typed))
    errors = page.context["adminform"].form.errors
    assert errors.keys() == NUMBERS.keys()
    for field, limits in NUMBERS.items():
        (error,) = errors[field]
        shown, _, of = error.partition(" is not a whole number from ")
        assert (of, len(shown) <= 40) == (limits, True)
        assert shown.strip("'").startswith(typed[:20])
        assert page.context["adminform"].form[field].value() == typed


def test_an_interval_that_was_not_given_is_asked_for(admin_client):
    page = post(admin_client, url("job", "change", saved().pk), trigger_kind="interval", interval="")
    assert errors_of(page) == "give the interval: a whole number of seconds"


def test_doubled_delays_begin_no_longer_than_they_may_grow(admin_client):
    row = saved()
    delays = {"retry_delay": 20, "retry_delay_most": 5}
    page = post(admin_client, url("job", "change", row.pk), retry_backoff="exponential", **delays)
    assert errors_of(page).startswith("5 s are shorter than the retry delay, 20 s: ")
    post(admin_client, url("job", "change", row.pk), retry_backoff="fixed", **delays)
    assert again(row).retry_delay_most == 5


@pytest.mark.parametrize("name", ["Nightly", "a b", "a/b", "ä", "-a", "a" * 101])
def test_a_name_that_some_database_or_path_would_not_keep_is_refused(admin_client, name):
    response = post(admin_client, url("job", "add"), name=name, handler="nightly", cron="0 0 3 * * ?")
    assert errors_of(response)
    assert not Job.objects.filter(name=name).exists()


def test_the_name_cannot_be_changed(admin_client):
    row = saved()
    post(admin_client, url("job", "change", row.pk), name="other", cron="0 30 4 * * ?")
    assert again(row).name == "nightly"


def test_the_next_five_fire_times_are_shown_in_the_job_s_zone_and_in_utc(admin_client):
    row = saved(cron="0 0 3 1 1 ? 2090-2099")
    page = admin_client.get(url("job", "change", row.pk)).content.decode()
    for year in range(2090, 2095):
        assert f"1 Jan {year}, 03:00:00" in page
        assert f"1 Jan {year}, 02:00:00" in page
    assert "2095" not in page


def test_the_next_fire_times_of_what_was_typed_are_shown_when_something_else_is_wrong(admin_client):
    row = saved()
    response = post(admin_client, url("job", "change", row.pk), cron="0 0 5 1 1 ? 2090", sharding_total_count=0)
    assert "1 Jan 2090, 05:00:00" in response.content.decode()


def test_a_trigger_that_never_fires_again_is_shown_as_such(admin_client):
    row = saved(cron="0 0 3 * * ? 2001")
    assert "It never fires again" in admin_client.get(url("job", "change", row.pk)).content.decode()


@pytest.mark.parametrize(
    "typed",
    [
        {"cron": "0 0 0 30 2 ?"},
        {"cron": "0 0 12 1 1 ? 1999"},
        {"trigger_kind": "date", "at_0": "2001-01-01", "at_1": "00:00:00"},
    ],
)
def test_who_saves_what_never_fires_again_is_warned(admin_client, typed):
    row = saved()
    warning = "Job nightly never fires again: its trigger names no time after now."
    assert warning in said(post(admin_client, url("job", "change", row.pk), **typed))
    assert warning in said(post(admin_client, url("job", "change", row.pk), **typed))
    assert warning not in said(post(admin_client, url("job", "change", row.pk), **typed, enabled=False))
    still = said(
        post(admin_client, url("job", "change", row.pk), enabled=True, trigger_kind="cron", cron="0 0 4 * * ?")
    )
    assert warning not in still


def test_a_row_that_cannot_be_meant_does_not_break_its_pages(admin_client):
    row = saved()
    Job.objects.filter(pk=row.pk).update(cron="nonsense", time_zone="Mars", sharding_total_count=0)
    assert admin_client.get(url("job", "change", row.pk)).status_code == 200
    assert "left out until it is mended" in admin_client.get(url("job", "changelist")).content.decode()


def test_a_handler_whose_code_is_gone_says_so_and_may_stay(admin_client):
    row = saved("old", handler="gone")
    assert "no code declares it" in admin_client.get(url("job", "changelist")).content.decode()
    assert "gone (no code declares it)" in admin_client.get(url("job", "change", row.pk)).content.decode()
    post(admin_client, url("job", "change", row.pk), cron="0 30 4 * * ?")
    assert again(row).cron == "0 30 4 * * ?"


def test_who_saves_second_is_told_who_was_first(admin_client, django_user_model):
    row = saved()
    address = url("job", "change", row.pk)
    mine = filled_in(admin_client, address, cron="0 30 4 * * ?")
    post(admin_client, address, cron="0 30 5 * * ?")

    response = admin_client.post(address, mine, follow=True)

    assert re.search(
        r"admin changed this job at \d+ \w+ 20\d\d, \d\d:\d\d:\d\d Europe/Berlin\. Open", errors_of(response)
    )
    assert "<" not in errors_of(response)
    assert again(row).cron == "0 30 5 * * ?"


def test_a_change_that_nobody_signed_is_noticed_too(admin_client):
    row = saved()
    mine = filled_in(admin_client, url("job", "change", row.pk), cron="0 30 4 * * ?")
    configuration.save(again(row))
    response = admin_client.post(url("job", "change", row.pk), mine, follow=True)
    assert "Not saved: this job was changed after you opened it" in errors_of(response)


def test_a_form_without_its_revision_is_not_saved(admin_client):
    row = saved()
    typed = filled_in(admin_client, url("job", "change", row.pk), cron="0 30 4 * * ?")
    del typed["revision"]
    assert "Not saved" in errors_of(admin_client.post(url("job", "change", row.pk), typed, follow=True))


def test_what_was_due_before_an_edit_leaves_a_row(admin_client):
    row = saved(cron="* * * * * ?")
    row.cursor.__class__.objects.filter(job=row).update(counted_to="2026-01-01T00:00:00Z")
    post(admin_client, url("job", "change", row.pk), cron="0 30 4 * * ?")
    left = Fire.objects.get(job=row)
    assert (left.state, left.reason, left.missed_count) == ("skipped", "edited", 1101)


def test_a_job_of_a_declared_name_keeps_what_differs_from_the_code(admin_client):
    post(admin_client, url("job", "add"), name="nightly", handler="nightly", cron="0 0 4 * * ?", time_zone="UTC")
    assert Job.objects.get(name="nightly").changed_fields == ["cron", "sharding_total_count", "time_zone"]


def test_what_differs_from_the_code_is_shown(admin_client):
    row = saved(cron="0 30 4 * * ?", sharding_total_count=2)
    page = admin_client.get(url("job", "change", row.pk)).content.decode()
    assert "Differs from the code" in page
    assert "0 0 3 * * ?" in page


def test_texts_that_people_write_are_shown_as_text(admin_client):
    row = saved(description="<script>alert(1)</script>")
    saved("other", handler="<script>alert(2)</script>")
    for address in (url("job", "changelist"), url("job", "change", row.pk), url("job", "delete", row.pk)):
        assert "<script>alert" not in admin_client.get(address).content.decode()


def test_a_new_job_has_its_items_and_may_be_found_by_its_name(admin_client):
    post(
        admin_client, url("job", "add"), name="found-me", handler="nightly", cron="0 0 3 * * ?", sharding_total_count=4
    )
    assert Item.objects.filter(job__name="found-me").count() == 4
    page = admin_client.get(url("job", "changelist"), {"q": "found"}).content.decode()
    assert "found-me" in page


def test_a_database_that_gives_no_answer_is_said_and_nothing_is_half_saved(admin_client, monkeypatch):
    row = saved()

    def locked(row: Job) -> int:
        raise OperationalError("database is locked")

    monkeypatch.setattr(configuration, "save", locked)
    response = post(admin_client, url("job", "change", row.pk), cron="0 30 4 * * ?")
    assert response.status_code == 503
    assert "database is locked" in response.content.decode()
    assert again(row).cron == "0 0 3 * * ?"


def test_how_a_job_runs_and_is_attempted_again_is_saved_and_reaches_the_instances(admin_client):
    row = saved()
    typed = {"isolation": "process", "timeout": 30, "on_timeout": "kill", "retries": 3, "retry_delay": 5}
    doubled = {"retry_backoff": "exponential", "retry_delay_most": 60, "retry_elsewhere": False}
    post(admin_client, url("job", "change", row.pk), **typed, **doubled, fire_all_most=7, fire_all_age=600)
    job = again(row).as_domain()
    assert (job.isolation, job.timeout, job.on_timeout) == (Isolation.PROCESS, 30, OnTimeout.KILL)
    assert job.retry == Retry(most=3, delay=5, backoff=Backoff.EXPONENTIAL, delay_most=60, elsewhere=False)
    assert (job.fire_all_most, job.fire_all_age) == (7, 600)


def test_how_long_fires_are_kept_is_edited_and_empty_is_as_of_all_jobs(admin_client):
    row = saved()
    post(admin_client, url("job", "change", row.pk), keep_days="30", keep_fires="500")
    assert (again(row).keep_days, again(row).keep_fires) == (30, 500)
    assert {"keep_days", "keep_fires"} <= set(again(row).changed_fields)
    post(admin_client, url("job", "change", row.pk), keep_days="", keep_fires="")
    assert (again(row).keep_days, again(row).keep_fires) == (None, None)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"keep_days": "0"}, "0 is not a whole number from 1 to 3660"),
        ({"keep_days": "4000"}, "4000 is not a whole number from 1 to 3660"),
        ({"keep_fires": "0"}, "0 is not a whole number from 1 to 10000000"),
        ({"keep_fires": "99999999"}, "99999999 is not a whole number from 1 to 10000000"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_what_can(admin_client, typed, said):
    assert said in errors_of(post(admin_client, url("job", "change", saved().pk), **typed))


def test_nothing_is_saved_or_run_by_a_clock_that_is_far_ahead(admin_client, monkeypatch):
    row = saved()
    monkeypatch.setattr(configuration, "database_now", lambda: timezone.now() + timedelta(days=1))
    response = post(admin_client, url("job", "change", row.pk), cron="0 30 4 * * ?")
    assert "86400 s ahead of this machine's" in errors_of(response)
    assert "86400 s ahead" in said(act(admin_client, "run_now", row))[0]
    assert "86400 s ahead" in said(act(admin_client, "disable", row))[0]
    assert (again(row).cron, again(row).enabled, again(row).cursor.counted_to) == (
        row.cron,
        True,
        row.cursor.counted_to,
    )
