"""What every implementation of the copies does."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest

from logins.record import Record


@pytest.fixture
def digest():
    return secrets.token_hex(32)


def record(version=1, text='{"a":1}', seconds=60.0):
    return Record(text=text, version=version, expires_at=datetime.now(UTC) + timedelta(seconds=seconds))


def test_at_first_nothing_stands_there(copies, digest):
    assert copies.get(digest) is None


def test_what_is_put_in_place_of_a_lease_is_read(copies, digest):
    put = record(version=7, text='{"a":"\\u672a"}')
    copies.put(digest, put, copies.lease(digest))
    assert copies.get(digest) == put


def test_a_lease_is_not_read_as_a_copy(copies, digest):
    copies.lease(digest)
    assert copies.get(digest) is None


def test_one_at_a_time_has_the_lease(copies, digest):
    assert copies.lease(digest)
    assert copies.lease(digest) == ""


def test_no_lease_is_given_where_a_copy_stands(copies, digest):
    copies.put(digest, record(), copies.lease(digest))
    assert copies.lease(digest) == ""


def test_nothing_is_put_where_nothing_stands(copies, digest):
    copies.put(digest, record(), "lease:of-long-ago")
    assert copies.get(digest) is None


def test_a_session_that_was_dropped_is_not_put_back_by_who_read_it_before(copies, digest):
    lease = copies.lease(digest)
    copies.drop([digest])
    copies.put(digest, record(), lease)
    assert copies.get(digest) is None


def test_a_newer_copy_takes_the_place_of_an_older_one(copies, digest):
    copies.put(digest, record(version=4), copies.lease(digest))
    newer = record(version=5)
    copies.put(digest, newer, "lease:of-long-ago")
    assert copies.get(digest) == newer


@pytest.mark.parametrize("version", [3, 4])
def test_a_copy_that_is_not_newer_changes_nothing(copies, digest, version):
    standing = record(version=4)
    copies.put(digest, standing, copies.lease(digest))
    copies.put(digest, record(version=version, text="{}"), "lease:of-long-ago")
    assert copies.get(digest) == standing


def test_a_seized_copy_is_read_no_more(copies, digest):
    copies.put(digest, record(), copies.lease(digest))
    copies.seize(digest)
    assert copies.get(digest) is None


def test_whose_lease_was_seized_puts_nothing_and_leaves_nothing(copies, digest):
    lease = copies.lease(digest)
    copies.seize(digest)
    copies.put(digest, record(), lease)
    assert copies.get(digest) is None
    assert copies.lease(digest)


def test_dropping_names_the_server(copies, digest):
    assert copies.drop([]) == copies.drop([digest])


def test_many_are_dropped_at_once(copies):
    digests = [secrets.token_hex(32) for _ in range(1000)]
    for digest in digests:
        copies.put(digest, record(), copies.lease(digest))
    copies.drop(digests)
    assert not any(copies.get(digest) for digest in digests)


@pytest.mark.acceptance
def test_a_copy_lives_no_longer_than_its_session(redis_alias, digest):
    from django_redis import get_redis_connection

    from logins.copies import COPY_SECONDS, RedisCopies

    copies = RedisCopies(redis_alias)
    for seconds, at_most in [(30, 30), (10_000, COPY_SECONDS)]:
        copies.put(digest, record(seconds=seconds), copies.seize(digest))
        (key,) = get_redis_connection(redis_alias).keys("*")
        assert at_most - 2 < get_redis_connection(redis_alias).pttl(key) / 1000 <= at_most
    copies.put(digest, record(seconds=-1), copies.seize(digest))
    assert copies.get(digest) is None
