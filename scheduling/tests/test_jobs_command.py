"""`manage.py jobs`, as people and scripts use it."""

from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.core.management import CommandError
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import translation

from scheduling import job
from scheduling.database import configuration
from scheduling.database.ledger import DatabaseLedger
from scheduling.management.tables import table, width
from scheduling.models import Execution, Fire, Item, Job
from scheduling.runtime.handlers import HANDLERS
from scheduling.tests.commanding import jobs, only_one_handler, refusal, save, squeezed, work

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


@pytest.fixture(autouse=True)
def no_other_jobs():
    with only_one_handler():
        yield


def lines_of(output):
    return dict(line.split("  ", 1) for line in output.splitlines() if "  " in line)


# list


def test_the_list_shows_state_trigger_next_fire_and_items_of_each_job():
    save("daily", trigger_kind="cron", cron="0 0 3 1 1 ? 2099", time_zone="Asia/Shanghai", sharding_total_count=3)
    save("off", enabled=False)
    save("orphan", handler="gone")
    assert [line.split("  ") for line in squeezed(jobs("list"))] == [
        ["job", "state", "trigger", "next fire (UTC)", "items", "handler"],
        ["daily", "enabled", "0 0 3 1 1 ? 2099 (Asia/Shanghai)", "2098-12-31 19:00:00", "3", "work"],
        ["off", "disabled", "only when somebody asks", "–", "1", "work"],
        ["orphan", "no code declares its handler", "only when somebody asks", "–", "1", "gone"],
    ]


def test_the_list_goes_on_past_rows_that_cannot_be_meant():
    save("broken", trigger_kind="cron", cron="nonsense")
    Job.objects.create(name="loaded", handler="work", trigger_kind="manual")
    output = jobs("list")
    assert "invalid: cron 'nonsense': " in output
    assert "not known to the ledger: enable it" in output


def test_an_empty_list_says_how_a_job_is_made():
    assert "declare one with @job" in jobs("list")


def test_columns_stand_below_each_other_in_chinese_too():
    save()
    with translation.override("zh-hans"):
        rows = jobs("list").splitlines()
    assert table([["作业", "x"], ["ab", "y"], ["é\u0301", "z"]]) == ["作业  x", "ab    y", "é\u0301     z"]
    assert width(rows[0].rpartition("  ")[0]) == width(rows[1].rpartition("  ")[0])


def test_what_a_row_holds_cannot_steer_the_terminal():
    save(description="a\x1b[31m\nb")
    assert "a [31m b" in jobs("show", "work")


# show, next


def test_a_job_is_shown_with_its_configuration_its_differences_and_its_last_fires():
    HANDLERS.clear()
    job("work", cron="0 0 3 * * ?", sharding_total_count=2, item_parameters="0=a,1=b")(work)
    jobs("sync")
    jobs("run", "work")
    jobs("disable", "work")
    DatabaseLedger().settle()
    shown = lines_of(jobs("show", "work"))
    facts = {label: value.strip() for label, value in shown.items()}
    assert facts["item parameters"] == "0=a,1=b"
    assert facts["misfire policy"] == "Fire once"
    assert facts["revision"] == "2"
    assert facts["differs from the code"] == "enabled is no, in the code yes"
    assert "the job was disabled" in facts[str(Fire.objects.get().id)]


def facts_of(name="work"):
    return {label: value.strip() for label, value in lines_of(jobs("show", name)).items()}


def test_what_limits_a_policy_is_shown_beside_it():
    delays = {"retry_delay": 20, "retry_delay_most": 60, "retry_backoff": "exponential"}
    save(misfire="fire_all", fire_all_most=5, fire_all_age=60, retries=3, keep_fires=10, keep_days=2, **delays)
    facts = facts_of()
    assert facts["misfire policy"] == "Fire all: at most 5, none older than 60 s"
    assert facts["retries"] == "3, on another instance; 20 s, doubled each time, up to 60 s"
    assert facts["settled fires are kept"] == "for 2 days, at most 10 and those of the last hour"


@pytest.mark.parametrize(
    ("fields", "difference"),
    [
        ({"at": datetime(9999, 12, 31, 23, tzinfo=UTC)}, "at is 9999-12-31 23:00:00+00:00, in the code –"),
        ({"trigger_kind": "date"}, "trigger_kind is one date, in the code only when somebody asks"),
        ({"timeout": 5}, "timeout is 5, in the code –"),
        ({"item_parameters": "0=a\n1=b"}, "item_parameters is 0=a, 1=b, in the code –"),
    ],
)
def test_what_differs_from_the_code_is_written_for_people(fields, difference):
    save(**{"time_zone": settings.TIME_ZONE, **fields})
    assert facts_of()["differs from the code"] == difference


def test_a_date_of_the_first_year_has_four_digits_of_it():
    save(trigger_kind="date", at=datetime(1, 1, 1, tzinfo=UTC))
    assert facts_of()["trigger"] == "0001-01-01 00:00:00"


def test_next_fire_times_are_shown_in_the_zone_of_the_job_and_in_utc():
    save(trigger_kind="cron", cron="0 0 3 1 1 ? 2098,2099", time_zone="Asia/Shanghai")
    assert [line.split("  ") for line in squeezed(jobs("next", "work", "5"))] == [
        ["Asia/Shanghai", "UTC"],
        ["2098-01-01 03:00:00+08:00", "2097-12-31 19:00:00"],
        ["2099-01-01 03:00:00+08:00", "2098-12-31 19:00:00"],
    ]


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({}, "work has no next fire time: only when somebody asks"),
        ({"trigger_kind": "interval", "interval": 60, "enabled": False}, "work is disabled: these are the fire times"),
        (
            {"trigger_kind": "date", "at": datetime(9999, 12, 31, 23, tzinfo=UTC), "time_zone": "Asia/Tokyo"},
            "9999-12-31",
        ),
    ],
)
def test_a_job_without_next_fire_times_says_why(fields, answer):
    save(**fields)
    assert answer in jobs("next", "work", "1")


def test_next_fire_times_of_a_row_that_cannot_be_meant_are_refused():
    save(trigger_kind="cron", cron="nonsense")
    code, message = refusal("next", "work")
    assert code == 2
    assert message.startswith("work is invalid, mend it in the admin: cron 'nonsense': field 2 (minutes) is missing")


@pytest.mark.parametrize("count", ["0", "1001", "-1", "x", "9" * 5_000])
def test_a_count_beyond_the_limits_is_refused(count):
    with pytest.raises(CommandError, match=r"1-1000|unrecognized|required"):
        jobs("next", "work", count)


# sync


def test_sync_says_what_became_of_each_declaration_and_which_code_is_gone():
    save("orphan", handler="gone")
    assert jobs("sync").splitlines() == ["work: created", "orphan: no code declares its handler; the job stays"]


def test_sync_fails_if_a_declaration_is_refused_and_writes_the_others():
    job("broken", cron="nonsense")(work)
    code, message = refusal("sync")
    assert (code, message) == (1, "1 declaration cannot be written: mend it in the code")
    assert list(Job.objects.values_list("name", flat=True)) == ["work"]


# enable, disable


def test_jobs_are_switched_and_what_a_person_switched_is_left_alone_by_the_code():
    jobs("sync")
    assert jobs("disable", "work") == "work: disabled\n"
    assert (Job.objects.get().enabled, Job.objects.get().changed_fields) == (False, ["enabled"])
    assert jobs("sync") == "work: unchanged; set by a person: enabled\n"
    assert jobs("enable", "work") == "work: enabled\n"
    assert Job.objects.get().cursor.enabled


def test_switching_what_is_switched_already_changes_nothing():
    save()
    assert jobs("enable", "work") == "work: was enabled already\n"
    assert Job.objects.get().cursor.revision == 1


def test_several_jobs_are_switched_together_or_not_at_all():
    save("a", enabled=False)
    save("b", enabled=False, trigger_kind="cron", cron="nonsense")
    code, message = refusal("enable", "a", "b")
    assert (code, message.startswith("b is invalid, mend it in the admin: cron 'nonsense': ")) == (2, True)
    assert not Job.objects.filter(enabled=True).exists()
    assert refusal("enable", "a", "c")[0] == 2
    assert not Job.objects.filter(enabled=True).exists()


def test_a_row_that_cannot_be_meant_may_be_disabled():
    save(trigger_kind="cron", cron="nonsense")
    assert jobs("disable", "work") == "work: disabled\n"


def test_a_loaded_row_becomes_a_job_when_it_is_enabled():
    Job.objects.create(name="work", handler="work", trigger_kind="manual")
    assert refusal("run", "work")[0] == 2
    assert jobs("enable", "work") == "work: enabled\n"
    assert "is open" in jobs("run", "work")


# Names


@pytest.mark.parametrize("command", ["show", "next", "run", "enable", "disable"])
@pytest.mark.parametrize("name", ["wrk", "WORK", "work\udcff"])
def test_an_unknown_job_is_named_with_those_of_like_names(command, name):
    save()
    code, message = refusal(command, name)
    assert code == 2
    assert message.startswith(f"there is no job {name!r}: ")
    assert message.endswith("; did you mean work?")


@pytest.mark.parametrize("command", ["show", "next", "run", "enable", "disable"])
def test_of_a_declared_job_without_a_row_it_is_said_how_it_gets_one(command):
    message = "the code declares 'work', but there is no such job yet: `manage.py jobs sync` adds it"
    assert refusal(command, "work") == (2, message)


def test_a_retired_job_is_unknown():
    configuration.retire(save())
    assert refusal("show", "work") == (2, "there is no job 'work': `manage.py jobs list` shows them all")


# A database that gives no answer


def failing(*_arguments):
    raise OperationalError("no such table:\n  scheduling_job")


def without(execute, sql, *rest):
    """Let the tables of the scheduler be away, and those of Django be there."""
    return failing() if "scheduling_" in sql else execute(sql, *rest)


@pytest.mark.parametrize("command", [["list"], ["show", "work"], ["run", "work"], ["restored"], ["sync"]])
def test_only_where_tables_are_missing_migrate_is_named(command):
    with connection.execute_wrapper(without):
        assert refusal(*command) == (1, "the database gives no answer: no such table: scheduling_job")
    MigrationRecorder.Migration.objects.filter(app="scheduling").delete()
    with connection.execute_wrapper(without):
        assert refusal(*command) == (1, "1 migrations are not applied: run `manage.py migrate` first")


# restored


def test_after_a_restore_every_item_gets_a_token_beyond_all_that_were_handed_out():
    save("first", sharding_total_count=3)
    save("second")
    Item.objects.filter(job__name="second").update(token=7)
    assert f"{Item.objects.count()} items have larger tokens now: restart every runscheduler" in jobs("restored")
    tokens = Item.objects.filter(job__name__in=("first", "second")).order_by("job__name", "number")
    assert list(tokens.values_list("token", flat=True)) == [10**9] * 3 + [10**9 + 7]


def test_after_a_restore_new_fires_and_executions_get_ids_beyond_all_that_were_handed_out():
    row = save()

    def ask(key):
        fire = configuration.request(row, key=key, asked_by="somebody")
        return fire, Execution.objects.get(fire=fire).pk

    before, _restored, after, _again, later = ask(1), jobs("restored"), ask(2), jobs("restored"), ask(3)
    for old, new in ((before, after), (after, later)):
        assert all(one + 10**12 < other for one, other in zip(old, new, strict=True))
    assert (Fire.objects.count(), Execution.objects.count()) == (3, 3)
