"""What the leader does with strategies that fail, or that never give the same answer twice."""

import sys
from itertools import count
from types import ModuleType

import pytest

from scheduling.domain.fire import FireState
from scheduling.tests.runtime.stage import Stage, owned, states


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def mine(monkeypatch):
    """The module of a custom strategy, `mine.strategy`."""
    module = ModuleType("mine")
    monkeypatch.setitem(sys.modules, "mine", module)
    return module


def test_a_strategy_that_fails_is_said_once_and_stops_neither_its_job_nor_others(stage, mine, caplog):
    mine.strategy = lambda job, items, instances, previous: 1 / 0
    stage.configure(sharding_total_count=4, strategy="mine.strategy")
    stage.configure(name="other", sharding_total_count=4)
    stage.node("a")
    stage.play(2)
    stage.node("b")
    stage.play(19)
    assert states(stage) == {FireState.SUCCEEDED: 10}
    assert owned(stage) == {"a": 4}
    assert set(stage.ensemble.assignments["other"].values()) == {"a", "b"}
    assert caplog.text.count("'mine.strategy' failed: ZeroDivisionError: division by zero") == 1
    assert caplog.text.count("ERROR") == 1


def test_a_strategy_that_is_mended_is_followed_at_the_next_change(stage, mine, caplog):
    caplog.set_level("INFO")
    mine.strategy = lambda job, items, instances, previous: None
    stage.configure(sharding_total_count=4, strategy="mine.strategy")
    stage.node("a")
    stage.play(3)
    mine.strategy = lambda job, items, instances, previous: dict.fromkeys(items, "b")
    stage.node("b")
    stage.play(3)
    assert owned(stage) == {"b": 4}
    assert "job: its strategy is followed again" in caplog.text


def test_items_of_a_dead_instance_find_new_owners_also_where_the_strategy_is_unknown_to_the_leader(stage):
    stage.configure(sharding_total_count=4, strategy="of_tomorrow")
    stage.node("a")
    stage.play(3)
    del stage.actors["a"]
    stage.node("b")
    stage.play(9)
    assert owned(stage) == {"b": 4}


def test_a_strategy_that_never_gives_the_same_answer_twice_is_not_asked_about_its_own_answer(stage, mine):
    asked = count()
    mine.strategy = lambda job, items, instances, previous: dict.fromkeys(items, sorted(instances)[next(asked) % 2])
    stage.node("a")
    stage.node("b")
    stage.play(2)
    stage.configure(sharding_total_count=4, strategy="mine.strategy")
    stage.play(20)
    assert next(asked) == 1
