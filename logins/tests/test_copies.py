"""What every implementation of the copies does."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import caches
from django_redis import get_redis_connection

from logins.copies import CopiesFull, RedisCopies
from logins.record import COPY_SECONDS, Record


@pytest.fixture
def digest():
    return secrets.token_hex(32)


def record(version=1, text='{"a":1}', seconds=60.0):
    return Record(text=text, version=version, expires_at=datetime.now(UTC) + timedelta(seconds=seconds))


def test_at_first_nothing_stands_there(copies, digest):
    assert copies.get(digest) is None


def test_what_is_put_in_place_of_a_reservation_is_read(copies, digest):
    put = record(version=7, text='{"a":"\\u672a"}')
    copies.put(digest, put, copies.reserve(digest))
    assert copies.get(digest) == put


def test_a_reservation_is_not_read_as_a_copy(copies, digest):
    copies.reserve(digest)
    assert copies.get(digest) is None


def test_one_at_a_time_has_the_reservation(copies, digest):
    assert copies.reserve(digest)
    assert copies.reserve(digest) == ""


def test_no_reservation_is_given_where_a_copy_stands(copies, digest):
    copies.put(digest, record(), copies.reserve(digest))
    assert copies.reserve(digest) == ""


def test_nothing_is_put_where_nothing_stands(copies, digest):
    copies.put(digest, record(), "reservation:of-long-ago")
    assert copies.get(digest) is None


def test_a_session_that_was_dropped_is_not_put_back_by_who_read_it_before(copies, digest):
    reservation = copies.reserve(digest)
    copies.drop([digest])
    copies.put(digest, record(), reservation)
    assert copies.get(digest) is None


def test_a_newer_copy_takes_the_place_of_an_older_one(copies, digest):
    copies.put(digest, record(version=4), copies.reserve(digest))
    newer = record(version=5)
    copies.put(digest, newer, "reservation:of-long-ago")
    assert copies.get(digest) == newer


@pytest.mark.parametrize("version", [3, 4])
def test_a_copy_that_is_not_newer_changes_nothing(copies, digest, version):
    standing = record(version=4)
    copies.put(digest, standing, copies.reserve(digest))
    copies.put(digest, record(version=version, text="{}"), "reservation:of-long-ago")
    assert copies.get(digest) == standing


def test_a_seized_copy_is_read_no_more(copies, digest):
    copies.put(digest, record(), copies.reserve(digest))
    copies.seize(digest)
    assert copies.get(digest) is None


def test_whose_reservation_was_seized_puts_nothing_and_leaves_nothing(copies, digest):
    reservation = copies.reserve(digest)
    copies.seize(digest)
    copies.put(digest, record(), reservation)
    assert copies.get(digest) is None
    assert copies.reserve(digest)


def test_dropping_names_the_server(copies, digest):
    assert copies.drop([]) == copies.drop([digest])


def test_many_are_dropped_at_once(copies):
    digests = [secrets.token_hex(32) for _ in range(1000)]
    for digest in digests:
        copies.put(digest, record(), copies.reserve(digest))
    copies.drop(digests)
    assert not any(copies.get(digest) for digest in digests)


@pytest.mark.acceptance
def test_a_copy_lives_no_longer_than_its_session(redis_alias, digest):
    copies = RedisCopies(redis_alias)
    for seconds, at_most in [(30, 30), (10_000, COPY_SECONDS)]:
        copies.put(digest, record(seconds=seconds), copies.seize(digest))
        (key,) = get_redis_connection(redis_alias).keys("*")
        assert at_most - 2 < get_redis_connection(redis_alias).pttl(key) / 1000 <= at_most
    copies.put(digest, record(seconds=-1), copies.seize(digest))
    assert copies.get(digest) is None


@pytest.mark.acceptance
@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"1 9999999999.0 0 {}",
        b'1 9999999999.0 {"a": 1',
        b"1 5.0 2745614147 {}",
        b"%d 9999999999.0 2745614147 {}" % 10**22,
        b"9" * 5000 + b" 9999999999.0 2745614147 {}",
        b"-1 9999999999.0 2745614147 {}",
        b"1 1e300 2745614147 {}",
        b"\xff",
        b"",
    ],
)
def test_what_nobody_of_us_wrote_is_not_read(redis_alias, digest, line):
    copies = RedisCopies(redis_alias)
    get_redis_connection(redis_alias).set(caches[redis_alias].make_key(digest), line)
    assert copies.get(digest) is None
    copies.put(digest, record(version=7), copies.seize(digest))
    assert copies.get(digest) is not None


@pytest.mark.acceptance
def test_what_is_no_text_is_not_read(redis_alias, digest):
    copies = RedisCopies(redis_alias)
    get_redis_connection(redis_alias).lpush(caches[redis_alias].make_key(digest), "a", "b")
    assert copies.get(digest) is None
    assert copies.reserve(digest) == ""
    copies.put(digest, record(), copies.seize(digest))
    assert copies.get(digest) is not None


@pytest.mark.acceptance
def test_a_full_redis_says_so_and_still_drops(redis_alias, digest):
    copies = RedisCopies(redis_alias)
    standing = record()
    copies.put(digest, standing, copies.reserve(digest))
    redis = get_redis_connection(redis_alias)
    redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(CopiesFull):
            copies.seize(digest)
        assert copies.get(digest) == standing
        copies.drop([digest])
        assert copies.get(digest) is None
    finally:
        redis.config_set("maxmemory", "0")
