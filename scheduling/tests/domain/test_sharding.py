from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.domain.instance import Instance
from scheduling.domain.job import Job
from scheduling.domain.sharding import (
    average_allocation,
    java_hash,
    odevity,
    round_robin,
    staying,
    sticky,
    weighted,
)
from scheduling.domain.strategies import STRATEGIES
from scheduling.domain.trigger import ManualTrigger

JOB = Job(name="job", handler="job", trigger=ManualTrigger())
BY_ID = [sticky, average_allocation, odevity, round_robin, staying]

names = st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True)
counts = st.integers(1, 60)
capacities = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 1000), min_size=1)
owners_before = st.dictionaries(st.integers(0, 80), st.sampled_from("abcdefghxyz"))


def named(name):
    return Job(name=name, handler="job", trigger=ManualTrigger())


def able(capacities):
    return {id: instance(id, capacity) for id, capacity in capacities.items()}


def instance(id, capacity=1):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Instance(id=id, host="h", pid=1, started_at=at, handlers=frozenset({"job"}), tzdata="", capacity=capacity)


def shares(owners, instances):
    return [sum(owner == name for owner in owners.values()) for name in instances]


def items(owners, instances="abc"):
    return {name: [item for item, owner in owners.items() if owner == name] for name in instances}


def test_average_allocation_gives_blocks_and_deals_out_the_rest():
    owners = average_allocation(JOB, range(10), ["a", "b", "c"], {})
    assert items(owners) == {"a": [0, 1, 2, 9], "b": [3, 4, 5], "c": [6, 7, 8]}


@pytest.mark.parametrize("strategy", [*STRATEGIES.values(), staying])
def test_without_instances_nothing_has_an_owner(strategy):
    assert strategy(JOB, range(3), {}, {0: "a"}) == {}


@pytest.mark.parametrize("strategy", BY_ID)
def test_a_plain_sequence_of_ids_does_where_only_ids_are_asked_for(strategy):
    given = strategy(JOB, range(7), ["c", "a", "b"], {1: "b"})
    assert given == strategy(JOB, range(7), {id: instance(id) for id in "cab"}, {1: "b"})


@pytest.mark.parametrize("strategy", STRATEGIES.values())
@given(counts, names, owners_before)
def test_every_item_has_one_owner_and_shares_differ_by_at_most_one(strategy, count, instances, previous):
    owners = strategy(JOB, range(count), able(dict.fromkeys(instances, 3)), previous)
    assert list(owners) == list(range(count))
    assert max(shares(owners, instances)) - min(shares(owners, instances)) <= 1


@given(counts, names, names)
def test_sticky_moves_no_item_that_it_need_not(count, before, after):
    previous = sticky(JOB, range(count), before, {})
    owners = sticky(JOB, range(count), after, previous)
    moved = sum(owners[item] != previous[item] for item in owners)
    share, rest = divmod(count, len(after))
    held = sorted((sum(owner == name for owner in previous.values()) for name in after), reverse=True)
    room = [share + 1] * rest + [share] * (len(after) - rest)
    assert moved == count - sum(map(min, held, room))


@given(counts, names)
def test_sticky_changes_nothing_when_nothing_has_changed(count, instances):
    previous = sticky(JOB, range(count), instances, {})
    assert sticky(JOB, range(count), instances, previous) == previous


# Weighted


@given(counts, capacities, owners_before)
def test_a_weighted_share_differs_from_its_exact_proportion_by_less_than_one(count, capacities, previous):
    owners = weighted(JOB, range(count), able(capacities), previous)
    assert list(owners) == list(range(count))
    for share, capacity in zip(shares(owners, capacities), capacities.values(), strict=True):
        assert abs(share - Fraction(count * capacity, sum(capacities.values()))) < 1


@given(counts, capacities, owners_before)
def test_weighted_rounds_the_largest_remainders_up_and_moves_no_item_that_it_need_not(count, capacities, previous):
    owners = weighted(JOB, range(count), able(capacities), previous)
    moved = sum(owners[item] != previous.get(item) for item in owners)
    held = {name: sum(previous.get(item) == name for item in range(count)) for name in capacities}
    assert moved == count - most_that_may_stay(count, capacities, held)


def most_that_may_stay(count, capacities, held):
    """Of all ways to round the largest remainders up, the one in which most items may stay where they are."""
    exact = {name: Fraction(count * capacity, sum(capacities.values())) for name, capacity in capacities.items()}
    remainders = sorted((share % 1 for share in exact.values()), reverse=True)
    rest = int(sum(remainders))
    least = remainders[rest - 1] if rest else 1
    surely = [name for name in exact if exact[name] % 1 > least]
    perhaps = [name for name in exact if exact[name] % 1 == least]
    stay = sum(min(held[name], int(exact[name]) + (name in surely)) for name in exact)
    gains = sorted((held[name] > int(exact[name]) for name in perhaps), reverse=True)
    return stay + sum(gains[: rest - len(surely)])


@given(counts, names, st.integers(1, 1000), owners_before)
def test_with_equal_capacities_the_shares_are_those_of_sticky(count, instances, capacity, previous):
    equal = able(dict.fromkeys(instances, capacity))
    assert weighted(JOB, range(count), equal, previous) == sticky(JOB, range(count), instances, previous)


@given(counts, capacities, owners_before)
def test_weighted_answers_the_same_again_and_stays_with_its_answer(count, capacities, previous):
    owners = weighted(JOB, range(count), able(capacities), previous)
    assert weighted(JOB, range(count), able(capacities), previous) == owners
    assert weighted(JOB, range(count), able(capacities), owners) == owners


@given(counts, capacities)
def test_who_has_more_capacity_has_no_fewer_items(count, capacities):
    by_share = dict(zip(capacities, shares(weighted(JOB, range(count), able(capacities), {}), capacities), strict=True))
    for one, capacity in capacities.items():
        for other in capacities:
            assert capacity <= capacities[other] or by_share[one] >= by_share[other]


@given(counts, capacities, st.data())
def test_raising_an_instance_s_capacity_takes_no_item_from_it(count, capacities, data):
    name = data.draw(st.sampled_from(sorted(capacities)))
    more = capacities | {name: capacities[name] + data.draw(st.integers(1, 1000))}
    before, after = (shares(weighted(JOB, range(count), able(these), {}), [name]) for these in (capacities, more))
    assert after >= before


# By name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 0),
        ("a", 97),
        ("hello", 99162322),
        ("polygenelubricants", -(2**31)),
        ("billing", -109829509),
        ("作业", 649790),
        ("\U0001f600", 1772899),
        ("\ud83d", 0xD83D),
    ],
)
def test_the_hash_of_a_name_is_java_s(text, code):
    assert java_hash(text) == code


def test_odevity_goes_from_the_last_instance_on_for_names_with_an_even_hash():
    assert java_hash("0") % 2 == 0
    assert items(odevity(named("1"), range(5), ["a", "b", "c"], {})) == {"a": [0, 3], "b": [1, 4], "c": [2]}
    assert items(odevity(named("0"), range(5), ["a", "b", "c"], {})) == {"a": [2], "b": [1, 4], "c": [0, 3]}


def test_round_robin_begins_with_another_instance_for_each_name():
    assert [java_hash(name) % 3 for name in "012"] == [0, 1, 2]
    assert items(round_robin(named("0"), range(3), ["a", "b", "c"], {})) == {"a": [0], "b": [1], "c": [2]}
    assert items(round_robin(named("1"), range(3), ["a", "b", "c"], {})) == {"a": [2], "b": [0], "c": [1]}
    assert items(round_robin(named("2"), range(3), ["a", "b", "c"], {})) == {"a": [1], "b": [2], "c": [0]}


def test_round_robin_knows_names_with_a_negative_hash_and_the_one_that_has_no_absolute_value_in_java():
    assert java_hash("billing") < 0
    first = round_robin(named("billing"), range(1), ["a", "b", "c"], {})
    assert first == {0: "abc"[abs(java_hash("billing")) % 3]}
    assert round_robin(named("polygenelubricants"), range(1), ["a", "b", "c"], {}) == {0: "abc"[2**31 % 3]}


# Where a strategy can't be followed


@given(counts, names, owners_before)
def test_staying_moves_nothing_that_can_stay(count, instances, previous):
    owners = staying(JOB, range(count), instances, previous)
    assert list(owners) == list(range(count))
    assert all(owners[item] == previous[item] for item in owners if previous.get(item) in instances)


@given(counts, names)
def test_staying_levels_what_has_no_owner(count, instances):
    assert sorted(shares(staying(JOB, range(count), instances, {}), instances)) == sorted(
        shares(sticky(JOB, range(count), instances, {}), instances)
    )
