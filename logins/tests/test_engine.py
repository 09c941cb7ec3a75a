"""What a session does, with Redis and on the database alone."""

import random
import time
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.management import call_command
from django.db import transaction
from django.http import HttpRequest
from django.test import override_settings

from logins import engine, records
from logins.copies import RedisCopies
from logins.engine import SessionStore
from logins.gate import Gate
from logins.models import OutboxEntry, Session
from logins.record import digest_of
from logins.store import Store
from logins.tests.memory import Link, Memory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.mariadb]


@pytest.fixture(params=["database", "memory", pytest.param("redis", marks=pytest.mark.acceptance)], autouse=True)
def store(request):
    """Lend a process without Redis, with its double, and with a real one."""
    if request.param == "database":
        made = Store()
    elif request.param == "memory":
        link = Link(Memory(time.monotonic), random.Random(0))
        made = Store(link, Gate(link, records))
    else:
        copies = RedisCopies(request.getfixturevalue("redis_alias"))
        made = Store(copies, Gate(copies, records))
    with patch.object(engine, "process_store", lambda: made):
        yield made


def saved(**values):
    session = SessionStore()
    session.update(values)
    session.save()
    return session


def read(session):
    """Return the session as another request sees it."""
    return dict(SessionStore(session.session_key).items())


def test_what_was_saved_is_read():
    assert read(saved(name="王", visits=3)) == {"name": "王", "visits": 3}


def test_it_is_read_again_and_again():
    session = saved(a=1)
    assert [read(session) for _ in range(3)] == [{"a": 1}] * 3


def test_a_change_is_read_by_the_next_request():
    session = saved(a=1, b=2)
    read(session)
    other = SessionStore(session.session_key)
    other["a"] = 5
    del other["b"]
    other.save()
    assert read(session) == {"a": 5}


def test_the_changes_of_two_requests_at_a_time_are_both_kept():
    session = saved(a=1, gone=1)
    one, two = SessionStore(session.session_key), SessionStore(session.session_key)
    one["a"] = 2
    del two["gone"]
    two["b"] = 3
    one.save()
    two.save()
    assert read(session) == {"a": 2, "b": 3}


def test_a_request_that_saves_twice_keeps_what_others_wrote_between():
    session = saved(a=1)
    mine = SessionStore(session.session_key)
    mine["a"] = 2
    other = SessionStore(session.session_key)
    other["theirs"] = 1
    other.save()
    mine.save()
    assert mine["theirs"] == 1
    mine["b"] = 3
    mine.save()
    assert read(session) == {"a": 2, "b": 3, "theirs": 1}


def test_a_value_that_is_changed_in_place_is_saved():
    session = saved(cart=[1])
    other = SessionStore(session.session_key)
    cart = other["cart"]
    cart.append(2)
    other.save()
    cart.append(3)
    other.save()
    assert read(session) == {"cart": [1, 2, 3]}


def test_a_session_that_is_cleared_has_only_what_came_after():
    session = saved(a=1)
    other = SessionStore(session.session_key)
    other.clear()
    other["b"] = 2
    other.save()
    assert read(session) == {"b": 2}


def test_a_session_that_has_ended_is_read_no_more():
    session = saved(a=1)
    read(session)
    SessionStore(session.session_key).delete()
    other = SessionStore(session.session_key)
    assert dict(other.items()) == {}
    assert other.session_key is None


def test_a_session_that_has_ended_cannot_be_saved():
    session = saved(a=1)
    other = SessionStore(session.session_key)
    other["a"] = 2
    SessionStore(session.session_key).flush()
    with pytest.raises(UpdateError):
        other.save()
    assert not session.exists(session.session_key)


def test_an_unknown_id_is_never_adopted():
    session = SessionStore("planted-by-somebody-else")
    session["a"] = 1
    session.save()
    assert session.session_key != "planted-by-somebody-else"


@pytest.mark.parametrize("key", ["x" * 5000, "\udcff" * 9, "\x00" * 9, "未归档的会话标识符"])
def test_any_text_may_come_as_an_id(key):
    assert dict(SessionStore(key).items()) == {}


def test_a_new_id_keeps_the_values_and_ends_the_old_one():
    session = saved(a=1)
    old = session.session_key
    session.cycle_key()
    assert session.session_key != old
    assert read(session) == {"a": 1}
    assert dict(SessionStore(old).items()) == {}


def test_an_id_that_is_taken_is_not_created_again():
    session = saved(a=1)
    with pytest.raises(CreateError):
        SessionStore(session.session_key).save(must_create=True)
    assert read(session) == {"a": 1}


def test_a_session_expires():
    session = saved(a=1)
    session.set_expiry(datetime.now(UTC) - timedelta(seconds=1))
    session.save()
    assert read(session) == {}


def test_expired_sessions_are_deleted_by_clearsessions():
    live, expired = saved(a=1), saved(a=1)
    expired.set_expiry(datetime.now(UTC) - timedelta(seconds=1))
    expired.save()
    call_command("clearsessions")
    assert list(Session.objects.values_list("digest", flat=True)) == [digest_of(live.session_key)]


def test_no_id_is_kept_in_clear():
    session = saved(a=1)
    read(session)
    session.delete()
    kept = [*Session.objects.values_list(), *OutboxEntry.objects.values_list()]
    assert session.session_key not in repr(kept)


def test_the_user_stands_beside_the_session():
    saved(**{SESSION_KEY: "17"})
    assert Session.objects.get().user_id == "17"


def test_a_value_that_is_no_json_is_refused_and_nothing_is_saved():
    session = saved(a=1)
    other = SessionStore(session.session_key)
    other["a"] = 2
    other["when"] = datetime.now(UTC)
    with pytest.raises(TypeError, match="when"):
        other.save()
    assert read(session) == {"a": 1}


def test_what_is_no_session_in_the_database_is_an_empty_one():
    session = saved(a=1)  # not read before: no copy stands in its place
    Session.objects.update(text="nonsense")
    assert dict(SessionStore(session.session_key).items()) == {}


class TestSecretKeyRotation:
    """A login survives a SECRET_KEY that comes replica by replica."""

    def request(self, session, key, fallbacks):
        with override_settings(SECRET_KEY=key, SECRET_KEY_FALLBACKS=fallbacks):
            request = HttpRequest()
            request.session = SessionStore(session.session_key)
            user = get_user(request)
            if request.session.modified:
                request.session.save()
            return user, request.session

    @pytest.fixture
    def login(self, settings):
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the others are slow on purpose
        user = User.objects.create_user("alice", password="a")
        with override_settings(SECRET_KEY="old"):
            yield saved(
                **{
                    SESSION_KEY: str(user.pk),
                    HASH_SESSION_KEY: user.get_session_auth_hash(),
                    "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
                }
            )

    def test_the_id_stays_while_replicas_have_different_keys(self, login):
        for key, fallback in [("new", "old"), ("old", "new"), ("new", "old")]:
            user, session = self.request(login, key, [fallback])
            assert user.is_authenticated
            assert session.session_key == login.session_key

    def test_afterwards_the_former_key_is_not_needed(self, login):
        self.request(login, "new", ["old"])
        assert self.request(login, "new", [])[0].is_authenticated

    def test_a_key_that_nobody_vouches_for_ends_the_login(self, login):
        assert not self.request(login, "other", [])[0].is_authenticated
        assert not self.request(login, "old", [])[0].is_authenticated

    def test_a_changed_password_gives_a_new_id_also_then(self, login):
        user = User.objects.get()
        user.set_password("b")
        user.save()
        with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"]):
            session = SessionStore(login.session_key)
            session.cycle_key()
        assert session.session_key != login.session_key


class TestTransactions:
    """What is not committed is nobody else's business."""

    def test_what_is_rolled_back_is_never_read(self):
        session = saved(a=1)
        read(session)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            other = SessionStore(session.session_key)
            other["a"] = 2
            other.save()
            assert read(session)["a"] == 2
            raise ZeroDivisionError
        assert read(session) == {"a": 1}

    def test_a_session_that_was_never_committed_is_never_read(self):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            session = saved(a=1)
            read(session)
            raise ZeroDivisionError
        assert dict(SessionStore(session.session_key).items()) == {}

    def test_a_change_that_was_rolled_back_takes_nobody_elses_place(self):
        session = saved(a=1)
        mine = SessionStore(session.session_key)
        mine["mine"] = 1
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            mine.save()
            raise ZeroDivisionError
        other = SessionStore(session.session_key)
        other["theirs"] = 1
        other.save()
        mine.save()
        assert read(session) == {"a": 1, "mine": 1, "theirs": 1}

    def test_a_committed_change_is_read_at_once(self):
        session = saved(a=1)
        read(session)
        with transaction.atomic():
            other = SessionStore(session.session_key)
            other["a"] = 2
            other.save()
            other["b"] = 3
            other.save()
        assert read(session) == {"a": 2, "b": 3}

    def test_a_logout_that_was_rolled_back_has_not_happened(self):
        session = saved(a=1)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            SessionStore(session.session_key).flush()
            raise ZeroDivisionError
        assert read(session) == {"a": 1}


def test_an_expiry_that_another_request_has_set_holds():
    session = saved(a=1)
    mine = SessionStore(session.session_key)
    mine["b"] = 1
    other = SessionStore(session.session_key)
    other.set_expiry(timedelta(days=365))
    other.save()
    mine.save()
    assert Session.objects.get().expires_at > datetime.now(UTC) + timedelta(days=300)


def test_a_login_that_has_ended_is_not_taken_over_under_a_new_id():
    session = saved(**{SESSION_KEY: "1"})
    other = SessionStore(session.session_key)
    other["a"] = 1
    session.flush()
    with pytest.raises(SessionInterrupted):
        other.cycle_key()
    assert not Session.objects.exists()


def test_a_new_id_takes_over_what_others_have_written():
    session = saved(a=1, gone=1)
    mine = SessionStore(session.session_key)
    mine["mine"] = 1
    other = SessionStore(session.session_key)
    other["theirs"] = 1
    del other["gone"]
    other.save()
    mine.cycle_key()
    assert read(mine) == {"a": 1, "mine": 1, "theirs": 1}


def test_the_outbox_is_emptied_of_what_is_old_by_those_who_post(store):
    saved(a=1).flush()
    OutboxEntry.objects.update(written_at=datetime.now(UTC) - timedelta(hours=1))
    store._pruned_at = float("-inf")
    saved(a=1).flush()
    assert OutboxEntry.objects.count() == 1
