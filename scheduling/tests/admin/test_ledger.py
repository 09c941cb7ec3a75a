"""The lists and pages of fires and executions."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin import site
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduling.admin import counts, paging
from scheduling.admin.execution import ExecutionAdmin
from scheduling.models import Execution, Fire
from scheduling.models.ledger import EXECUTION_STATES
from scheduling.tests.admin.conftest import NOON, execution, fire, saved, url

pytestmark = pytest.mark.django_db

LEDGERS = pytest.mark.parametrize("model", ["fire", "execution"])
NOBODY: dict[str, Any] = {"reason": "nobody_was_up", "first_missed": NOON - timedelta(hours=1)}


@pytest.fixture
def short_pages(monkeypatch):
    monkeypatch.setattr("scheduling.admin.ledger.LedgerAdmin.list_per_page", 3)


def filled(number: int) -> None:
    row = saved("filled")
    for at in range(number):
        execution(fire(row, after=at), started_at=NOON, finished_at=NOON)


def shown(client, model: str, **query: object) -> list[int]:
    return [row.pk for row in client.get(url(model, "changelist"), query).context["cl"].result_list]


@LEDGERS
@pytest.mark.parametrize("query", [{}, {"state": "succeeded"}, {"p": "2"}, {"p": "-1"}, {"state": "open"}])
def test_nothing_is_counted_or_joined_and_the_number_of_queries_does_not_grow_with_the_rows(admin_client, model, query):
    admin_client.get(url(model, "changelist"), query)
    filled(1)
    few = _queries(admin_client, model, query)
    Execution.objects.all().delete()
    Fire.objects.all().delete()
    Fire.objects.bulk_create(_many_fires())
    Execution.objects.bulk_create(Execution(fire=f, job=f.job, item=0, state="succeeded", due_at=NOON) for f in _all())
    many = _queries(admin_client, model, query)
    assert len(many) <= len(few) + 1
    assert not [sql for sql in few + many if "COUNT(" in sql.upper()]
    assert not [sql for sql in few + many if " JOIN " in sql and "scheduling_" in sql]


def _many_fires():
    row = saved("many")
    for at in range(120):
        time = NOON + timedelta(seconds=at)
        yield Fire(job=row, state="succeeded", fire_time=time, opened_at=time, revision=1, total=1)


def _all():
    return list(Fire.objects.select_related("job"))


def _queries(client, model: str, query: dict[str, str]) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url(model, "changelist"), query).status_code == 200
    return [query["sql"] for query in captured]


@LEDGERS
def test_older_and_newer_walk_through_every_row_once(admin_client, model, short_pages):
    filled(8)
    newest_first = sorted((Fire if model == "fire" else Execution).objects.values_list("pk", flat=True), reverse=True)
    page = admin_client.get(url(model, "changelist")).context["cl"]
    assert page.newer == ""
    walked = [[row.pk for row in page.result_list]]
    while page.older:
        page = admin_client.get(url(model, "changelist") + page.older).context["cl"]
        walked.append([row.pk for row in page.result_list])
    assert [pk for page in walked for pk in page] == newest_first
    back = admin_client.get(url(model, "changelist") + page.newer).context["cl"]
    assert [row.pk for row in back.result_list] == walked[-2]


@LEDGERS
@pytest.mark.parametrize("p", ["0", "1", "x", "", "-9223372036854775809", "9" * 30, "9" * 5000, "1.5", "-0"])
def test_a_page_that_does_not_exist_shows_the_newest_rows(admin_client, model, p):
    filled(3)
    assert len(shown(admin_client, model, p=p)) == 3


@LEDGERS
def test_all_rows_cannot_be_asked_for(admin_client, model, short_pages):
    filled(5)
    assert len(shown(admin_client, model, all="")) == 3


@LEDGERS
def test_a_column_cannot_be_asked_to_sort(admin_client, model):
    filled(3)
    assert shown(admin_client, model, o="2.-3") == shown(admin_client, model)


@LEDGERS
@pytest.mark.parametrize(
    "query",
    [
        {"job__id__exact": "x"},
        {"job": "x"},
        {"job": "9" * 30},
        {"job": "1 OR 1=1"},
        {"state": "nonsense"},
        {"kind__exact": "nonsense"},
        {"nonsense": "1"},
        {"fire__id__exact": "x"},
        {"id": "9" * 30},
        {"state": "open\x00"},
    ],
)
def test_a_filter_that_means_nothing_is_no_error(admin_client, model, query):
    filled(1)
    assert admin_client.get(url(model, "changelist"), query, follow=True).status_code == 200


@LEDGERS
def test_a_rare_state_is_searched_for_a_part_of_the_table_at_a_time(admin_client, model, monkeypatch):
    monkeypatch.setattr(paging, "SEARCHED_AT_ONCE", 5)
    rare = fire(saved("rare"), "failed")
    execution(rare, "failed")
    filled(12)
    page = admin_client.get(url(model, "changelist"), {"state": "failed"})
    assert not page.context["cl"].result_list
    assert "Older searches on" in page.content.decode()
    while page.context["cl"].older:
        page = admin_client.get(url(model, "changelist") + page.context["cl"].older)
    assert [str(row) for row in page.context["cl"].result_list]


def test_a_live_state_is_found_however_old_it_is(admin_client, monkeypatch):
    monkeypatch.setattr(paging, "SEARCHED_AT_ONCE", 5)
    hanging = execution(fire(saved("hangs"), "open"), "running", started_at=NOON)
    filled(12)
    assert shown(admin_client, "execution", state="running") == [hanging.pk]
    assert shown(admin_client, "fire", state="open") == [hanging.fire_id]


def test_the_rows_of_one_job_can_be_seen_alone(admin_client):
    filled(2)
    mine = fire(saved("mine"))
    assert shown(admin_client, "fire", job=mine.job_id) == [mine.pk]


@pytest.mark.parametrize(
    ("state", "fields", "words"),
    [
        ("skipped", {**NOBODY, "missed_count": 11}, ["11 fire times not run: nobody was up", "11:00:00", "12:00:00"]),
        ("skipped", {**NOBODY, "missed_count": 1101}, ["more than 1,100 fire times not run"]),
        ("skipped", {**NOBODY, "missed_count": 1}, ["1 fire time not run: nobody was up"]),
        ("skipped", {"reason": "still_ran"}, ["not run: the item still ran"]),
        (
            "skipped",
            {**NOBODY, "reason": "too_old", "missed_count": 28},
            ["28 fire times not run: too many or too old to catch up"],
        ),
        ("coalesced", {**NOBODY, "missed_count": 11}, ["11 fire times coalesced into a later fire", "nobody was up"]),
        ("succeeded", {"kind": "manual", "asked_by": "zhang.wei"}, ["by hand, by zhang.wei"]),
        ("succeeded", {"opened_at": NOON + timedelta(seconds=48)}, ["is-late", "48 s"]),
    ],
)
def test_what_did_not_run_and_why_is_in_the_list_and_on_the_page(admin_client, state, fields, words):
    row = fire(saved("told", time_zone="UTC"), state, **fields)
    for address in (url("fire", "changelist"), url("fire", "change", row.pk)):
        text = admin_client.get(address).content.decode()
        for word in words:
            assert word in text


def test_a_coalesced_row_names_the_fire_that_runs_instead(admin_client):
    job = saved("told", time_zone="UTC")
    runs = fire(job, after=3600)
    fire(job, "coalesced", missed_count=11, coalesced_into=runs, **NOBODY)
    assert "11 fire times coalesced into <time" in admin_client.get(url("fire", "changelist")).content.decode()


def test_a_fire_of_which_an_item_was_coalesced_says_so_although_the_others_succeeded(admin_client):
    job = saved(sharding_total_count=2)
    ran = fire(job, coalesced_into=fire(job, after=2))
    execution(ran, "succeeded", 0)
    execution(ran, "cancelled", 1)
    assert "<strong>1 item coalesced into <time" in admin_client.get(url("fire", "changelist")).content.decode()


def test_items_are_shown_as_succeeded_of_all(admin_client):
    row = fire(saved(sharding_total_count=3), "partly_failed")
    for item, state in enumerate(["succeeded", "succeeded", "failed"]):
        execution(row, state, item)
    page = admin_client.get(url("fire", "changelist")).content.decode()
    assert "2 / 3" in page
    assert "1 failed" in page


def test_fires_with_more_items_than_a_page_can_count_show_only_how_many(admin_client, monkeypatch):
    monkeypatch.setattr(counts, "AT_MOST", 2)
    row = fire(saved(sharding_total_count=3), "partly_failed")
    execution(row, "failed")
    assert '<td class="field-items">3</td>' in admin_client.get(url("fire", "changelist")).content.decode()


def test_a_fire_lists_its_failed_items_first_and_links_to_the_others(admin_client, monkeypatch):
    monkeypatch.setattr("scheduling.admin.fire.SHOWN_EXECUTIONS", 2)
    row = fire(saved(sharding_total_count=3), "partly_failed", parameters={"2": "doctor"})
    for item, state in enumerate(["succeeded", "succeeded", "failed"]):
        execution(row, state, item)
    page = admin_client.get(url("fire", "change", row.pk)).content.decode()
    assert page.index("doctor") < page.index("succeeded</span>")
    assert f"{url('execution', 'changelist')}?fire__id__exact={row.pk}" in page
    assert len(shown(admin_client, "execution", fire__id__exact=row.pk)) == 3


def test_a_running_execution_says_since_when(admin_client):
    row = execution(fire(saved(time_zone="UTC"), "open"), "running", started_at=NOON, instance_id="a-1")
    for address in (url("execution", "changelist"), url("execution", "change", row.pk)):
        text = admin_client.get(address).content.decode()
        assert "running since" in text
        assert "12:00:00" in text


def test_a_traceback_is_shown_whole_on_its_page_and_by_its_last_line_in_the_list(admin_client):
    traceback = "Traceback <b>\n" + "  line\n" * 500 + "ValueError: <img src=x onerror=alert(1)>"
    row = execution(fire(saved(), "failed"), "failed", message=traceback, reason="raised")
    listed = admin_client.get(url("execution", "changelist")).content.decode()
    assert "ValueError: &lt;img" in listed
    assert "Traceback" not in listed
    page = admin_client.get(url("execution", "change", row.pk)).content.decode()
    assert "Traceback &lt;b&gt;" in page
    assert "<img src=x" not in listed + page


def test_what_ended_too_many_instances_is_said_to_be_given_up(admin_client):
    killer = execution(fire(saved()), "lost", reason="instance_died", deaths=6)
    victim = execution(fire(saved("other")), "lost", reason="instance_died", deaths=1)
    text = admin_client.get(url("execution", "changelist")).content.decode()
    assert "not run: given up: 6 instances died of it" in text
    assert "not run: its instance died" in text
    for row, words in ((killer, "given up: 6 instances died of it"), (victim, "its instance died")):
        assert words in admin_client.get(url("execution", "change", row.pk)).content.decode()


def test_every_state_has_a_shape_a_word_and_a_tone(admin_client):
    job = saved()
    for at, (state, word) in enumerate(EXECUTION_STATES.items()):
        execution(fire(job, "open", after=at), state)
        page = admin_client.get(url("execution", "changelist")).content.decode()
        assert f'class="sc-state is-{state}"' in page
        assert f"</svg> {word}</span>" in page
    for used in {part.split('"')[0] for part in page.split('href="#i-')[1:]}:
        assert f'id="i-{used}"' in page


@LEDGERS
def test_the_ledger_cannot_be_written(admin_client, model):
    filled(1)
    pk = shown(admin_client, model)[0]
    assert admin_client.get(url(model, "add")).status_code == 403
    assert admin_client.post(url(model, "change", pk), {"state": "failed"}).status_code == 403
    assert admin_client.post(url(model, "delete", pk), {"post": "yes"}).status_code == 403


def test_execution_states_that_an_index_serves_are_those_that_are_live():
    admin = ExecutionAdmin(Execution, site)
    assert admin.is_indexed({"state": ["running"]})
    assert not admin.is_indexed({"state": ["failed"]})
    assert admin.is_indexed({"fire__id__exact": ["1"]})


def test_pages_show_a_fire_whose_later_one_is_forgotten_and_say_what_is_left_to_say(admin_client):
    row = saved(sharding_total_count=1)
    forgotten = fire(row, after=60)
    missed = fire(row, "coalesced", coalesced_into=forgotten, missed_count=3, **NOBODY)
    left_out = fire(row, "coalesced", after=30, coalesced_into=forgotten, reason="coalesced")
    partly = fire(row, after=45, coalesced_into=forgotten)
    for each in (left_out, partly):
        execution(each, "cancelled", reason="coalesced")
    forgotten.delete()
    assert set(shown(admin_client, "fire")) == {missed.pk, left_out.pk, partly.pk}
    for each in (missed, left_out, partly):
        page = admin_client.get(url("fire", "change", each.pk))
        assert page.status_code == 200
    assert "a later fire" in admin_client.get(url("fire", "change", missed.pk)).content.decode()
    assert admin_client.get(url("execution", "changelist")).status_code == 200


def test_the_list_of_jobs_shows_a_job_whose_fires_are_all_forgotten(admin_client):
    fire(saved()).delete()
    assert admin_client.get(url("job", "changelist")).status_code == 200
