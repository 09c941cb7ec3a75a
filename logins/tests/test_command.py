"""`manage.py sessions`, and what it says of Redis."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from logins import engine, records
from logins.copies import RedisCopies
from logins.engine import SessionStore
from logins.gate import Gate
from logins.models import OutboxEntry, Session
from logins.store import Store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def store():
    store = Store()
    with patch.object(engine, "process_store", lambda: store):
        yield store


@pytest.fixture
def alice():
    return User.objects.create_user("alice")


def login(user=None, expires_in=timedelta(days=1)):
    session = SessionStore()
    if user:
        session[SESSION_KEY] = str(user.pk)
    session.set_expiry(datetime.now(UTC) + expires_in)
    session.save()
    return session


def said(capsys, *arguments):
    call_command("sessions", *arguments)
    return capsys.readouterr().out


def is_live(session):
    return bool(dict(SessionStore(session.session_key).items()))


def test_sessions_are_listed_with_their_users(capsys, alice):
    login(alice)
    login()
    login(alice, expires_in=timedelta(seconds=-1))
    lines = said(capsys, "list").splitlines()
    assert len(lines) == 3
    assert {line.split()[-1] for line in lines[1:]} == {"alice", "nobody"}


@pytest.mark.parametrize("user_id", ["abc", "9" * 30, "-1"])
def test_a_user_that_cannot_be_is_listed_as_it_stands(capsys, user_id):
    login()
    Session.objects.update(user_id=user_id, expires_at=datetime(9999, 12, 31, 23, 59, tzinfo=UTC))
    with timezone.override("Asia/Shanghai"):
        assert said(capsys, "list").split()[-1] == user_id


def test_no_more_are_listed_than_asked_for(capsys, alice):
    for _ in range(3):
        login(alice)
    assert len(said(capsys, "list", "--limit", "2").splitlines()) == 3


def test_the_sessions_of_one_user_are_listed(capsys, alice):
    login(alice)
    login()
    assert len(said(capsys, "list", "--user", "alice").splitlines()) == 2


def test_what_is_listed_can_be_ended(capsys, alice):
    mine, other = login(alice), login()
    digest = said(capsys, "list", "--user", "alice").splitlines()[1].split()[0]
    assert said(capsys, "end", digest) == "1 session ended.\n"
    assert (is_live(mine), is_live(other)) == (False, True)


def test_the_sessions_of_a_user_are_ended(capsys, alice):
    mine, other = [login(alice), login(alice)], login()
    assert said(capsys, "end", "--user", "alice") == "2 sessions ended.\n"
    assert [is_live(session) for session in (*mine, other)] == [False, False, True]


def test_all_are_ended_a_batch_at_a_time(capsys):
    for _ in range(5):
        login()
    with patch.object(records, "BATCH", 2):
        assert said(capsys, "end", "--all") == "5 sessions ended.\n"
    assert OutboxEntry.objects.count() == 5


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--user", "nobody"], 'no user "nobody"'),
        (["abcdef"], 'no session begins with "abcdef"'),
        (["abc"], "shorter than 6 characters"),
        (["%%%%%%"], "no session begins with"),
        (["\udcff" * 6], "no session begins with"),
        (["--user", "\udcff"], "there is no user"),
        (["--user", ""], 'no user ""'),
    ],
)
def test_who_is_not_there_cannot_be_ended(arguments, words):
    with pytest.raises(CommandError, match=words):
        call_command("sessions", "end", *arguments)


def test_a_digest_that_is_two_is_none(alice):
    for last in "ab":
        records.insert("f" * 63 + last, {}, datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(CommandError, match="more than one"):
        call_command("sessions", "end", "ffffff")
    assert Session.objects.count() == 2


def test_expired_sessions_are_pruned(capsys):
    login(expires_in=timedelta(seconds=-1))
    live = login()
    assert said(capsys, "prune") == "1 expired session deleted.\n"
    assert is_live(live)


def test_only_where_tables_are_missing_migrate_is_named():
    def without(execute, sql, *rest):
        if "logins_" in sql:
            raise OperationalError("no such table: logins_session")
        return execute(sql, *rest)

    with transaction.atomic(), connection.execute_wrapper(without):
        with pytest.raises(CommandError, match=r"^the database gives no answer: no such table: logins_session$"):
            call_command("sessions", "list")
        MigrationRecorder.Migration.objects.filter(app="logins").delete()
        with pytest.raises(CommandError, match=r"^1 migrations are not applied: run `manage.py migrate` first$"):
            call_command("sessions", "list")
        transaction.set_rollback(True)


def test_without_redis_the_state_says_so(capsys):
    login()
    assert said(capsys, "status").splitlines() == [
        "Sessions: 1",
        "Expired, not yet deleted: 0",
        "Outbox: 0",
        "Redis: none; sessions are read from the database.",
    ]


@pytest.mark.acceptance
class TestRedis:
    @pytest.fixture(autouse=True)
    def store(self, redis_alias):
        copies = RedisCopies(redis_alias)
        store = Store(copies, Gate(copies, records))
        with patch.object(engine, "process_store", lambda: store), patch("logins.status.process_store", lambda: store):
            yield store

    def test_it_is_described(self, capsys):
        assert ", noeviction, append-only file on, 0 evicted" in said(capsys, "status")

    def test_one_that_is_away_is_a_failure_of_the_command(self, capsys, redis_server):
        redis_server.stop()
        try:
            with pytest.raises(CommandError, match="sessions are read from the database") as error:
                call_command("sessions", "status")
            assert error.value.returncode == 1
        finally:
            redis_server.start()
