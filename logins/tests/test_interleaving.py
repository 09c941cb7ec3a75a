"""What sessions promise, in random interleavings of requests, logouts and outages over three replicas."""

import os
import random
from collections import Counter
from collections.abc import Sequence
from unittest.mock import patch

import pytest
from django.db import connection

from logins import gate, records
from logins.gate import Gate, Look
from logins.models import Session
from logins.record import Record
from logins.tests.interleaving import History
from logins.tests.memory import Memory, RealRedis

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = 200


def play(seeds: Sequence[int], redis: RealRedis | None = None) -> Counter[str]:
    """Play histories, and return what happened in them."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        history = History(random.Random(seed), redis)
        try:
            history.play(STEPS)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        seen.update(history.seen)
    return seen


@pytest.mark.mariadb
def test_ended_sessions_stay_ended_and_others_are_never_lost():
    seen = play(range(int(os.environ.get("HISTORIES", 30))))
    assert seen["read"] > 150
    assert seen["ended, Redis told"] > 15
    assert seen["ended, Redis away"] > 15


@pytest.mark.acceptance
def test_they_do_so_with_a_real_redis(redis_alias):
    seen = play(range(40), RealRedis(redis_alias))
    assert seen["read"] > 200
    assert seen["ended, Redis told"] > 10


def putting_where_nothing_stands(memory, digest, record, reservation):
    if not isinstance(memory.get(digest), Record) or memory.get(digest).version < record.version:
        memory.found[digest] = record, memory.clock() + 300
    return True


def putting_over_newer_copies(memory, digest, record, reservation):
    if digest in memory.found:
        memory.found[digest] = record, memory.clock() + 300
    return True


def change_without_posting(*arguments):
    return records.change(*arguments)


def looking_without_the_outbox(gate):
    return Look(server=gate._copies.drop([]))


def change_of_everything(digest, seen, changes, expiry, change=records.change):
    standing = records.read(digest)
    Session.objects.filter(digest=digest).update(text=seen.text, version=standing.version if standing else 0)
    return change(digest, standing or seen, changes, expiry)


SEEDED = [
    (53, Memory, "put", putting_where_nothing_stands),
    (351, Memory, "put", putting_over_newer_copies),
    (47, records, "change_and_post", change_without_posting),
    (17, records, "post", lambda digests: None),
    (8, records, "change", change_of_everything),
    (54, Gate, "_drop_recent", looking_without_the_outbox),
    (542, gate, "BELIEF_SECONDS", 3.0),
]
"""Bugs, each with the seed of a history in which it shows."""


@pytest.mark.skipif(connection.vendor != "sqlite", reason="with other statements a seed is another history")
@pytest.mark.parametrize("seed, owner, name, bug", SEEDED, ids=lambda value: getattr(value, "__name__", value))
def test_a_seeded_bug_is_found(seed, owner, name, bug):
    with patch.object(owner, name, bug), pytest.raises(AssertionError, match="seed"):
        play([seed])
