from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.domain.cluster import Cluster, assignments_due, items_of, opens_first
from scheduling.domain.instance import Instance
from scheduling.domain.job import Job
from scheduling.domain.ranges import from_ranges, to_ranges
from scheduling.domain.trigger import ManualTrigger

JOB = Job(name="job", handler="job", trigger=ManualTrigger(), sharding_total_count=4)


def instance(id, **fields):
    defaults = {"host": "h", "pid": 1, "started_at": datetime(2026, 1, 1, tzinfo=UTC), "tzdata": ""}
    return Instance(id=id, **({"handlers": frozenset({"job"})} | defaults | fields))


def cluster(*instances, **fields):
    return Cluster(instances={i.id: i for i in instances}, **fields)


def test_items_go_to_instances_that_are_not_draining_and_know_the_handler():
    seen = cluster(instance("a"), instance("b", draining=True), instance("c", handlers=frozenset()))
    assert assignments_due([JOB], seen, {}).assignments == {"job": {0: "a", 1: "a", 2: "a", 3: "a"}}


def test_an_assignment_that_would_not_change_is_not_due():
    seen = cluster(instance("a"), assignments={"job": dict.fromkeys(range(4), "a")})
    assert assignments_due([JOB], seen, {}).assignments == {}


def test_a_higher_item_keeps_an_owner_while_it_has_a_live_execution():
    seen = cluster(instance("a"), assignments={"job": dict.fromkeys(range(4), "a")})
    fewer = replace(JOB, sharding_total_count=1)
    assert assignments_due([fewer], seen, {"job": frozenset({3})}).assignments == {"job": {0: "a", 3: "a"}}


def test_a_retired_job_loses_its_assignment_and_so_does_one_that_nobody_can_run():
    seen = cluster(instance("a", handlers=frozenset()), assignments={"job": {0: "a"}, "gone": {0: "a"}})
    assert assignments_due([JOB], seen, {}).assignments == {"job": {}, "gone": {}}


def test_strategies_take_instances_from_the_last_id_to_the_first_as_in_elasticjob():
    seen = cluster(instance("a"), instance("c"), instance("b"))
    blocks = replace(JOB, strategy="average_allocation")
    assert assignments_due([blocks], seen, {}).assignments == {"job": {0: "c", 1: "b", 2: "a", 3: "c"}}


def test_items_of_a_weighted_job_go_by_capacity():
    seen = cluster(instance("a", capacity=3), instance("b"))
    heavy = replace(JOB, strategy="weighted")
    assert assignments_due([heavy], seen, {}).assignments == {"job": {0: "b", 1: "a", 2: "a", 3: "a"}}


@pytest.mark.parametrize("strategy", ["of_tomorrow", "nowhere.at_all", "builtins.print"])
def test_where_a_strategy_can_t_be_followed_items_stay_and_the_rest_is_placed_and_other_jobs_are_as_ever(strategy):
    before = {0: "a", 1: "a", 2: "a", 3: "gone"}
    seen = cluster(instance("a"), instance("b"), assignments={"job": before})
    due = assignments_due([replace(JOB, strategy=strategy), replace(JOB, name="other")], seen, {})
    assert due.assignments["job"] == {0: "a", 1: "a", 2: "a", 3: "b"}
    assert sorted(due.assignments["other"].values()) == ["a", "a", "b", "b"]
    assert due.faults.keys() == {"job"}
    assert repr(strategy) in str(due.faults["job"])


def test_what_is_due_is_what_the_registry_shows_then():
    seen = cluster(instance("a"), assignments={"job": {0: "b"}, "gone": {0: "a"}, "kept": {0: "a"}})
    due = assignments_due([JOB, replace(JOB, name="kept", sharding_total_count=1)], seen, {})
    assert due.applied_to(seen.assignments) == {"job": dict.fromkeys(range(4), "a"), "kept": {0: "a"}}


def test_the_owner_of_the_lowest_item_opens_first():
    assignments = {"job": {0: "a", 1: "b"}}
    assert opens_first("a", "job", assignments)
    assert not opens_first("b", "job", assignments)
    assert not opens_first("a", "other", assignments)
    assert items_of("b", assignments) == {"job": frozenset({1})}


@given(st.dictionaries(st.integers(0, 300), st.sampled_from(["a", "b", "c"])))
def test_ranges_are_read_as_they_were_written(owners):
    assert from_ranges(to_ranges(owners)) == owners


def test_ranges_are_short():
    assert to_ranges({0: "a", 1: "a", 2: "b", 5: "a"}) == {"a": [[0, 1], [5, 5]], "b": [[2, 2]]}
