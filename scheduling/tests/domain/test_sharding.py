import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.domain.errors import InvalidJob
from scheduling.domain.job import Job
from scheduling.domain.sharding import STRATEGIES, average_allocation, sticky, strategy_named
from scheduling.domain.trigger import ManualTrigger

JOB = Job(name="job", handler="job", trigger=ManualTrigger())

names = st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True)
counts = st.integers(1, 60)


def shares(owners, instances):
    return [sum(owner == name for owner in owners.values()) for name in instances]


def test_average_allocation_gives_blocks_and_deals_out_the_rest():
    owners = average_allocation(JOB, range(10), ["a", "b", "c"], {})
    items = {name: [item for item, owner in owners.items() if owner == name] for name in "abc"}
    assert items == {"a": [0, 1, 2, 9], "b": [3, 4, 5], "c": [6, 7, 8]}


@pytest.mark.parametrize("strategy", STRATEGIES.values())
def test_without_instances_nothing_has_an_owner(strategy):
    assert strategy(JOB, range(3), [], {0: "a"}) == {}


@pytest.mark.parametrize("strategy", STRATEGIES.values())
@given(counts, names, st.dictionaries(st.integers(0, 80), st.sampled_from("abcdefghxyz")))
def test_every_item_has_one_owner_and_shares_differ_by_at_most_one(strategy, count, instances, previous):
    owners = strategy(JOB, range(count), instances, previous)
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


def test_an_unknown_strategy_is_named_with_the_known_ones():
    with pytest.raises(InvalidJob, match="'even' is unknown: choose one of sticky, average_allocation"):
        strategy_named("even")
