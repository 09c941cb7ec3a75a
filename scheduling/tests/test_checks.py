"""What the system checks say, and that they say nothing where they cannot know."""

from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from django.core.checks import run_checks
from django.db import DEFAULT_DB_ALIAS, connection

from scheduling import checks, job
from scheduling.database import configuration
from scheduling.database.ledger import DatabaseLedger
from scheduling.models import Job
from scheduling.runtime.handlers import HANDLERS

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_other_handlers():
    with patch.dict(HANDLERS, clear=True):
        yield


def work(context):
    pass


def ids(messages):
    return [message.id.removeprefix("scheduling.") for message in messages]


def problems(**options):
    job("work", **options)(work)
    return checks.declaration_problems(HANDLERS["work"], NOW)


# Settings


def test_the_settings_of_this_project_pass_and_so_do_none_at_all(settings):
    assert checks.check_settings() == []
    del settings.SCHEDULING
    assert checks.check_settings() == []


def test_settings_that_are_no_dict_are_shown_with_what_to_write(settings):
    settings.SCHEDULING = "database://"
    (error,) = checks.check_settings()
    assert (error.id, error.msg) == ("scheduling.E001", "SCHEDULING is 'database://', no dict.")
    assert "{'REGISTRY_URL': 'database://'}" in str(error.hint)


def test_a_misspelt_key_is_named_with_the_right_one(settings):
    settings.SCHEDULING = {"registry": "database://"}
    (error,) = checks.check_settings()
    assert (error.id, error.hint) == ("scheduling.E002", "Remove it, or write REGISTRY_URL.")
    assert "'registry'" in error.msg


@pytest.mark.parametrize(
    ("url", "shown"),
    [("zk://user:secret@host/", "zk://…"), ("database:", "'database:'"), ("", "''"), (None, "None"), ([], "[]")],
)
def test_an_unknown_registry_is_named_without_its_password_and_with_the_known_ones(settings, url, shown):
    settings.SCHEDULING = {"REGISTRY_URL": url}
    (error,) = checks.check_settings()
    assert error.id == "scheduling.E003"
    assert error.hint == "Write database://, or zookeeper://host1:2181,host2:2181/namespace."
    assert f" is {shown}: it is no registry known here." in error.msg


@pytest.mark.mariadb
def test_a_zookeeper_address_passes_but_sqlite_is_for_one_machine(settings):
    settings.SCHEDULING = {"REGISTRY_URL": "zookeeper://me:secret@a:2181,b/data-archive-job?session_timeout=4"}
    assert ids(checks.check_settings()) == (["W002"] if connection.vendor == "sqlite" else [])


def test_what_is_wrong_with_a_zookeeper_address_is_said_without_its_password(settings):
    settings.SCHEDULING = {"REGISTRY_URL": "zookeeper://me:secret@a:2181/jobs?timeout=4"}
    error = checks.check_settings()[0]
    assert "'timeout' is no option: write session_timeout, tls" in error.msg
    assert "secret" not in error.msg


def test_times_without_a_zone_are_refused(settings):
    settings.USE_TZ = False
    assert ids(checks.check_settings()) == ["E004"]


# Database options


@pytest.mark.mariadb
def test_the_options_of_this_project_pass():
    assert checks.check_database_options() == []


@pytest.mark.parametrize(
    "change",
    [
        {"transaction_mode": None},
        {"transaction_mode": "DEFERRED"},
        {"timeout": 5},
        {"timeout": "20"},
        {"init_command": None},
        {"init_command": "PRAGMA journal_mode=WAL"},
        {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"},
        {"init_command": "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL"},
    ],
)
def test_sqlite_options_that_lock_writers_out_are_shown_with_a_dict_to_paste(change):
    (warning,) = checks.database_option_problems("sqlite", checks.SQLITE_OPTIONS | change)
    assert warning.id == "scheduling.W001"
    assert repr(checks.SQLITE_OPTIONS) in str(warning.hint)


@pytest.mark.parametrize(
    "command",
    ["pragma JOURNAL_MODE = wal; pragma SYNCHRONOUS = extra", "PRAGMA journal_mode('WAL');PRAGMA synchronous(2)"],
)
def test_sqlite_options_may_be_written_in_other_ways(command):
    options = {"transaction_mode": "immediate", "timeout": 30.0, "init_command": command}
    assert checks.database_option_problems("sqlite", options) == []


@pytest.mark.parametrize("level", ["repeatable read", "serializable", None])
def test_mysql_needs_read_committed(level):
    (error,) = checks.database_option_problems("mysql", {"isolation_level": level})
    assert error.id == "scheduling.E005"
    assert repr(level) in error.msg


def test_mysql_without_an_isolation_level_passes():
    assert checks.database_option_problems("mysql", {}) == []


# Declarations


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cron": "0 0 3 * * ?", "time_zone": "Asia/Shanghai", "dst": "quartz", "misfire": "skip"},
        {"interval": 5, "sharding_total_count": 3, "item_parameters": "0=a,2=c"},
        {"at": datetime(2026, 1, 2, tzinfo=UTC)},
        {"at": datetime(2025, 1, 1, tzinfo=UTC), "enabled": False},
    ],
)
def test_a_declaration_that_can_be_meant_passes(options):
    assert problems(**options) == []


@pytest.mark.parametrize(
    ("options", "field", "way_out"),
    [
        ({"cron": "* * * * *"}, "cron", "field"),
        ({"cron": ""}, "cron", ""),
        ({"cron": 5}, "cron", "str"),
        ({"interval": 0}, "interval", "1 to 31622400"),
        ({"interval": 0.5}, "interval", "give"),
        ({"interval": 5, "cron": "0 0 3 * * ?"}, "interval", "together with cron: keep one"),
        ({"at": datetime(2026, 1, 2)}, "at", "aware"),
        ({"at": "2026-01-02"}, "at", "datetime"),
        ({"cron": "0 0 3 * * ?", "time_zone": "Mars/Base"}, "time_zone", "IANA"),
        ({"dst": "never"}, "dst", "once, quartz"),
        ({"sharding_total_count": 0}, "sharding_total_count", "1 to 10000"),
        ({"sharding_total_count": 100_000}, "sharding_total_count", "1 to 10000"),
        ({"sharding_total_count": "3"}, "sharding_total_count", "int"),
        ({"item_parameters": "7=x"}, "item_parameters", "raise the sharding total count"),
        ({"item_parameters": None}, "item_parameters", "str"),
        ({"strategy": "random"}, "strategy", "sticky, weighted"),
        ({"strategy": "nowhere.by_load"}, "strategy", "No module named 'nowhere'"),
        ({"strategy": "math.pi"}, "strategy", "takes (job, items, instances, previous)"),
        ({"misfire": "later"}, "misfire", "skip, fire_once, fire_all"),
        ({"fire_all_most": 0}, "fire_all_most", "1 to 1000"),
        ({"retries": "3"}, "retries", "int"),
        ({"retries": -1}, "retries", "0 to 100"),
        ({"retries": True}, "retries", "int"),
        ({"retry_delay": True}, "retry_delay", "int"),
        ({"timeout": True}, "timeout", "int | None"),
        (
            {"retry_delay_most": 5, "retry_delay": 20, "retry_backoff": "exponential"},
            "retry_delay_most",
            "shorter than the retry delay, 20 s",
        ),
        ({"retry_backoff": "double"}, "retry_backoff", "fixed, exponential"),
        ({"timeout": 0}, "timeout", "1 to 604800"),
        ({"on_timeout": "kill", "timeout": 5}, "on_timeout", "choose isolation in a process"),
        ({"isolation": "jail"}, "isolation", "thread, process"),
        ({"description": "x" * 300}, "description", "255"),
    ],
)
def test_a_wrong_value_is_named_with_its_function_and_the_way_out(options, field, way_out):
    error = problems(**options)[0]
    assert (error.id, error.obj) == ("scheduling.E010", f"{__name__}.work")
    assert error.msg.startswith(f"job 'work' declares {field}={options[field]!r}: ")
    assert way_out in f"{error.msg} {error.hint}"


@pytest.mark.parametrize("name", ["Archive Job", "", "x" * 101, 5])
def test_a_name_that_no_job_can_have_is_refused(name):
    job(name)(work)
    (error,) = checks.declaration_problems(HANDLERS[name], NOW)
    assert (error.id, repr(name) in error.msg) == ("scheduling.E010", True)


def test_each_wrong_value_is_an_error_of_its_own():
    assert ids(problems(cron="nonsense", sharding_total_count=0, strategy="random")) == ["E010"] * 3


@pytest.mark.parametrize("options", [{"cron": "0 0 0 30 2 ?"}, {"at": datetime(2025, 1, 1, tzinfo=UTC)}])
def test_a_trigger_that_never_fires_is_warned_of(options):
    (warning,) = problems(**options)
    assert (warning.id, warning.obj) == ("scheduling.W010", f"{__name__}.work")


def test_declarations_are_checked_by_every_command_without_a_database():
    job("work", cron="nonsense")(work)
    assert ids(m for m in run_checks() if str(m.id).startswith("scheduling.")) == ["E010"]


# Database


def database_checks():
    return ids(checks.check_ledger(databases=[DEFAULT_DB_ALIAS]))


def save(**fields):
    Job.objects.all().delete()
    configuration.save(Job(**({"name": "work", "handler": "work", "trigger_kind": "manual"} | fields)))


@pytest.mark.mariadb
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"handler": "gone"}, ["W021"]),
        ({"trigger_kind": "cron", "cron": "nonsense"}, ["W022"]),
        ({"sharding_total_count": 2, "item_parameters": "7=x"}, ["W022"]),
        ({"sharding_total_count": 0}, ["W022"]),
        ({"strategy": "random"}, ["W023"]),
        ({"strategy": "scheduling.domain.sharding.staying"}, []),
        ({"misfire": "later"}, ["W022"]),
    ],
)
def test_rows_that_cannot_run_are_warned_of_and_those_that_cannot_be_meant_stop_no_instance(fields, expected):
    job("work")(work)
    save(**fields)
    assert database_checks() == expected
    assert bool(DatabaseLedger().jobs()) == ("W022" not in expected)


@pytest.mark.mariadb
@pytest.mark.django_db
def test_declared_jobs_without_a_row_are_named():
    job("work")(work)
    job("new")(work)
    save()
    assert database_checks() == ["W024"]
    (warning,) = checks.rowless_warnings()
    assert warning.msg.endswith("so that they do not run: new")
    configuration.retire(Job.objects.get(name="work"))
    assert checks.rowless_warnings() == [warning]


@pytest.mark.django_db
def test_a_retired_job_is_none_to_warn_of():
    save(handler="gone")
    configuration.retire(Job.objects.get(name="work"))
    assert database_checks() == []


@pytest.mark.mariadb
@pytest.mark.django_db
def test_only_a_server_can_have_too_few_connections():
    messages = checks.connection_limit_warnings(workers=1_000, instances=1_000)
    assert ids(messages) == ([] if connection.vendor == "sqlite" else ["W020"])
    assert checks.connection_limit_warnings(workers=1, instances=1) == []


def test_more_connections_than_are_allowed_are_warned_of_with_the_workers_that_fit():
    (warning,) = checks.connection_warnings(16, 8, 151)
    assert warning.msg == "8 × 16 workers may need 152 connections; the database allows 151"
    assert "--workers 15" in str(warning.hint)
    assert checks.connection_warnings(15, 8, 151) == []


def test_a_database_that_no_check_was_asked_for_is_left_alone():
    assert checks.check_ledger(databases=None) == checks.check_ledger(databases=["other"]) == []


@pytest.mark.django_db
def test_before_migrate_there_is_nothing_to_say():
    with patch.object(Job._meta, "db_table", "scheduling_not_yet_migrated"):
        assert database_checks() == []


def test_a_database_that_is_away_is_not_for_a_check_to_report(django_db_blocker):
    nowhere = connection.settings_dict | {"NAME": "/nowhere/db.sqlite3", "HOST": "127.0.0.1", "PORT": "1"}
    connection.close()
    with django_db_blocker.unblock(), patch.object(connection, "settings_dict", nowhere):
        assert database_checks() == []
        assert checks.connection_limit_warnings(16, 2) == []


# Retention


@pytest.mark.parametrize("name", ["SCHEDULING_KEEP_DAYS", "SCHEDULING_KEEP_FIRES"])
@pytest.mark.parametrize("value", [0, -1, True, "7", 1.5, None, 10**9])
def test_what_cannot_be_kept_is_named_with_what_can(settings, name, value):
    setattr(settings, name, value)
    (error,) = checks.check_settings()
    assert (error.id, error.msg) == ("scheduling.E006", f"{name} is {value!r}.")
    assert str(error.hint).startswith("Write a whole number from 1 to ")


def test_how_long_fires_are_kept_may_be_set(settings):
    settings.SCHEDULING_KEEP_DAYS, settings.SCHEDULING_KEEP_FIRES = 365, 1_000_000
    assert checks.check_settings() == []


@pytest.mark.parametrize(("field", "value"), [("keep_days", 0), ("keep_fires", 0), ("keep_days", 4_000)])
def test_a_declaration_of_what_cannot_be_kept_names_the_field(field, value):
    (error,) = problems(**{field: value})
    assert error.id == "scheduling.E010"
    assert f"{field}={value}: {value} " in error.msg
    assert problems(keep_days=1, keep_fires=1) == []
