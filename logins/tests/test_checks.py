import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection
from django.test import override_settings

from logins.checks import cache_problems, check_secret_keys, check_settings, server_problems
from logins.keys import note_key
from logins.models import Key
from logins.status import Server

FINE = {
    "BACKEND": "django_redis.cache.RedisCache",
    "LOCATION": "redis://127.0.0.1:1/0",
    "OPTIONS": {
        "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
        "SOCKET_CONNECT_TIMEOUT": 0.25,
        "SOCKET_TIMEOUT": 0.25,
    },
}


def ids(problems):
    return [problem.id for problem in problems]


def found(**options):
    return ids(cache_problems("sessions", {"sessions": {**FINE, "OPTIONS": {**FINE["OPTIONS"], **options}}}))


def test_nothing_is_wrong_with_a_good_description():
    assert found() == []


@pytest.mark.parametrize("seconds", [None, 5, 0, -1, "1"])
@pytest.mark.parametrize("name", ["SOCKET_TIMEOUT", "SOCKET_CONNECT_TIMEOUT"])
def test_a_redis_that_may_hang_for_long_is_found(name, seconds):
    assert found(**{name: seconds}) == ["logins.W002"]


def test_a_pool_smaller_than_the_threads_is_found():
    assert found(CONNECTION_POOL_KWARGS={"max_connections": 2}) == ["logins.W003"]
    assert found(CONNECTION_POOL_KWARGS={"max_connections": 50}) == []


def test_a_small_pool_that_lets_wait_is_fine():
    pool = "redis.connection.BlockingConnectionPool"
    assert found(CONNECTION_POOL_KWARGS={"max_connections": 2}, CONNECTION_POOL_CLASS=pool) == []


@pytest.mark.parametrize("serializer", ["django_redis.serializers.pickle.PickleSerializer", "my.Pickle"])
def test_pickle_is_found(serializer):
    assert found(SERIALIZER=serializer) == ["logins.W004"]


def test_pickle_as_the_default_is_found():
    described = {**FINE, "OPTIONS": {k: v for k, v in FINE["OPTIONS"].items() if k != "SERIALIZER"}}
    assert ids(cache_problems("sessions", {"sessions": described})) == ["logins.W004"]


def test_a_redis_shared_with_another_cache_is_found():
    shared = {"sessions": FINE, "default": FINE}
    assert ids(cache_problems("sessions", shared)) == ["logins.W005"]
    apart = {"sessions": FINE, "default": {**FINE, "LOCATION": "redis://127.0.0.1:1/1"}}
    assert ids(cache_problems("sessions", apart)) == []


def test_a_serializer_that_is_not_used_is_found():
    with override_settings(SESSION_SERIALIZER="my.Pickle"):
        assert ids(check_settings()) == ["logins.W001"]


def test_another_engine_is_not_checked():
    with override_settings(SESSION_SERIALIZER="my.Pickle", SESSION_ENGINE="django.contrib.sessions.backends.db"):
        assert check_settings() == []


def test_a_redis_that_evicts_is_found():
    said = Server(version="7", eviction_policy="allkeys-lru", evicted=0, memory="1M", keeps_log=True)
    assert ids(server_problems(said)) == ["logins.W011"]


def test_a_redis_that_does_not_answer_is_found():
    assert ids(server_problems("ConnectionError: refused")) == ["logins.W010"]


@pytest.mark.django_db
class TestSecretKeys:
    def log_in(self, key):
        with override_settings(SECRET_KEY=key):
            note_key()

    def test_replicas_with_different_keys_are_found(self):
        self.log_in("one")
        self.log_in("another")
        with override_settings(SECRET_KEY="one"):
            assert ids(check_secret_keys()) == ["logins.W012"]

    def test_a_key_that_is_changing_is_not(self):
        self.log_in("new")
        self.log_in("old")
        with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"]):
            assert check_secret_keys() == []

    def test_a_key_of_long_ago_is_not(self):
        self.log_in("old")
        Key.objects.update(used_at=datetime.now(UTC) - timedelta(days=2))
        with override_settings(SECRET_KEY="new"):
            assert check_secret_keys() == []

    def test_no_key_is_kept_in_clear(self):
        self.log_in("one-that-is-secret")
        assert "one-that-is-secret" not in repr(list(Key.objects.values()))


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_many_who_log_in_at_a_time_all_can(caplog):
    together = threading.Barrier(8)

    def log_in():
        together.wait()
        note_key()
        connection.close()

    for _ in range(5):
        Key.objects.all().delete()
        with ThreadPoolExecutor(8) as people:
            for done in [people.submit(log_in) for _ in range(8)]:
                done.result()
    assert Key.objects.count() == 1
    assert not caplog.records


@pytest.mark.django_db
def test_a_login_does_not_fail_over_a_key_that_cannot_be_noted(caplog):
    def fail(*arguments):
        raise OperationalError("deadlock")

    with connection.execute_wrapper(fail):
        note_key()
    assert "could not be noted" in caplog.text
