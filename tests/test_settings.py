import logging
import re
from pathlib import Path

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from config.databases import database
from config.environment import ROOT, env, redis_url, replica, secret_key
from config.logs import UTCFormatter, logging_to_stderr


def example():
    """Return the variables of `.env.example` as text."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_example_lists_each_variable_of_the_settings_and_no_other():
    assert list(example()) == list(env.scheme)


@pytest.mark.parametrize("name", example())
def test_the_example_shows_the_default(name):
    cast, default = env.scheme[name]
    default = replica("") if name == "REPLICA" else default
    assert environ.Env.parse_value(example()[name], cast) == default


def test_each_variable_of_the_example_has_a_line_that_explains_it():
    lines = [line for line in (ROOT / ".env.example").read_text().split("\n\n", 1)[1].splitlines() if line]
    assert all(line.startswith("# ") for line in lines[0::2])
    assert not any(line.startswith("#") for line in lines[1::2])


def test_the_settings_read_each_variable_of_the_table_and_no_other():
    assert set(re.findall(r"env\(\"(\w+)\"", (ROOT / "config" / "settings.py").read_text())) == set(env.scheme)


def test_sqlite_has_one_writer_at_a_time_who_loses_nothing():
    options = database("sqlite:///var/db.sqlite3", Path("/project"))["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert options["timeout"] == 20
    assert options["init_command"] == "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"


@pytest.mark.parametrize(
    "url, name",
    [
        ("sqlite:///var/db.sqlite3", "/project/var/db.sqlite3"),
        ("sqlite:////data/db.sqlite3", "/data/db.sqlite3"),
        ("sqlite://:memory:", ":memory:"),
    ],
)
def test_a_relative_sqlite_path_counts_from_the_project(url, name):
    assert database(url, Path("/project"))["NAME"] == name


def test_mysql_is_told_all_that_the_ledger_needs():
    described = database("mysql://user:pass%40word@db:3307/jobs", Path("/project"))
    assert (described["USER"], described["PASSWORD"]) == ("user", "pass@word")
    assert (described["HOST"], described["PORT"], described["NAME"]) == ("db", 3307, "jobs")
    assert described["OPTIONS"] == {
        "charset": "utf8mb4",
        "isolation_level": "read committed",
        "init_command": "SET time_zone='+00:00', sql_mode='STRICT_TRANS_TABLES', innodb_lock_wait_timeout=2",
    }


def test_a_query_in_the_url_overrides_one_option():
    described = database("sqlite:///db.sqlite3?timeout=5&CONN_MAX_AGE=0", Path("/project"))
    assert described["OPTIONS"]["timeout"] == 5
    assert described["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert (described["CONN_MAX_AGE"], described["CONN_HEALTH_CHECKS"]) == (0, True)


@pytest.mark.parametrize(
    "url", ["", "db.sqlite3", "oracle://u:secret@h/x", "mysql://u:secret@h:port/x", "sqlite:///x?timeout=abc"]
)
def test_a_url_that_names_no_known_database_is_refused_without_its_password(url):
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL: ") as refused:
        database(url, Path("/project"))
    assert "secret" not in str(refused.value)


def test_the_variable_wins_over_the_file_with_the_secret_key(tmp_path):
    file = tmp_path / "secret_key"
    file.write_text("from the file\n")
    assert secret_key("from the variable", file) == "from the variable"
    assert secret_key("", file) == "from the file"


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_without_any_secret_key_the_error_names_both_ways_out(tmp_path, content):
    file = tmp_path / "secret_key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY is not set: set it, or let `make run` write"):
        secret_key("", file)


@pytest.mark.parametrize(
    "name, value",
    [
        ("LOG_LEVEL", "LOUD"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("TIME_ZONE", "../etc/passwd"),
        ("LANGUAGE_CODE", "tlh"),
    ],
)
def test_a_wrong_value_is_named_together_with_its_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=f'^{name}: "{re.escape(value)}" '):
        env(name)


def test_hosts_may_have_blanks_between_them(monkeypatch):
    monkeypatch.setenv("ALLOWED_HOSTS", "a.example, b.example")
    assert env("ALLOWED_HOSTS") == ["a.example", "b.example"]


def test_a_log_line_begins_with_its_time_in_utc():
    record = logging.makeLogRecord({"created": 0.5, "msecs": 500, "levelname": "INFO", "name": "x", "msg": "hello"})
    form = logging_to_stderr("INFO")["formatters"]["line"]["fmt"]
    assert UTCFormatter(form).format(record) == "1970-01-01T00:00:00.500Z INFO x hello"


@pytest.mark.parametrize(
    "url", ["http://:topsecret@host/0", "redis://:topsecret@host:port/0", "redis://:topsecret@host/0?foo=bar", "redis"]
)
def test_a_redis_url_that_is_none_is_refused_without_being_repeated(url):
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL") as error:
        redis_url(url)
    assert "topsecret" not in str(error.value)


@pytest.mark.parametrize("url", ["", "redis://h:6379/0", "rediss://u:p@h/1", "unix:///run/redis.sock?db=2"])
def test_a_redis_url_is_taken(url):
    assert redis_url(url) == url


@pytest.mark.parametrize("name", ["a b", "r1\n", "副本", "r" * 65])
def test_a_replica_has_a_plain_name(name):
    with pytest.raises(ImproperlyConfigured, match="REPLICA"):
        replica(name)
