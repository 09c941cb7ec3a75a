"""Finding a strategy by its name or path, and asking it so that nothing it does can hurt."""

import sys
from types import ModuleType

import pytest

from scheduling.domain.errors import InvalidJob
from scheduling.domain.job import Job
from scheduling.domain.strategies import STRATEGIES, owners_by_strategy, strategy_named
from scheduling.domain.trigger import ManualTrigger
from scheduling.tests.domain.test_sharding import able

PATH = "somewhere.strategies.mine"
ABLE = able({"b": 1, "a": 1})


@pytest.fixture
def declare(monkeypatch):
    """Installs a function as the custom strategy."""

    def install(function):
        module = ModuleType("somewhere.strategies")
        module.mine = function
        monkeypatch.setitem(sys.modules, "somewhere", ModuleType("somewhere"))
        monkeypatch.setitem(sys.modules, "somewhere.strategies", module)

    return install


def ask(items=range(2), instances=ABLE, previous=None, strategy=PATH):
    job = Job(name="job", handler="job", trigger=ManualTrigger(), strategy=strategy)
    return owners_by_strategy(job, items, instances, {} if previous is None else previous)


def test_a_strategy_is_found_by_its_name_and_by_its_path(declare):
    def mine(job, items, instances, previous):
        return {}

    declare(mine)
    assert strategy_named("sticky") is STRATEGIES["sticky"]
    assert strategy_named(PATH) is mine


@pytest.mark.parametrize("name", ["even", "", ".", "a.", ".a", "../../etc/passwd", "os.path; x", "a\0.b", "x" * 300])
def test_an_unknown_strategy_is_named_with_the_known_ones(name):
    with pytest.raises(InvalidJob) as caught:
        strategy_named(name)
    assert f"{name!r}"[:200] in str(caught.value)
    assert "is unknown: choose one of sticky, weighted, average_allocation, odevity, round_robin" in str(caught.value)
    assert "myapp.strategies.by_load" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere.at_all", "ModuleNotFoundError: No module named 'nowhere'"),
        ("math.nothing", "AttributeError: module 'math' has no attribute 'nothing'"),
        ("scheduling.nowhere.at_all", "ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_imported_is_named_with_the_reason_and_the_way_out(path, why):
    with pytest.raises(InvalidJob) as caught:
        strategy_named(path)
    assert f"sharding strategy {path!r} can't be imported ({why}" in str(caught.value)
    assert "mend its path" in str(caught.value)


@pytest.mark.parametrize("source", ["raise SystemExit(3)", "1 / 0", "def"])
def test_a_module_that_cannot_be_executed_is_a_finding(source, tmp_path, monkeypatch):
    (tmp_path / "broken_strategies.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidJob, match=r"'broken_strategies\.mine' can't be imported"):
        strategy_named("broken_strategies.mine")


@pytest.mark.parametrize("path", ["math.pi", "os.system", "sys.exit", "os.getcwd"])
def test_what_does_not_take_four_arguments_is_no_strategy(path):
    with pytest.raises(InvalidJob, match=f"{path!r} is no function that takes"):
        strategy_named(path)


def test_a_custom_strategy_is_asked_with_instances_in_their_order_and_its_answer_comes_in_the_order_of_items(declare):
    asked = []

    def mine(job, items, instances, previous):
        asked.append((job.name, items, [*instances.items()], previous))
        return {1: "a", 0: "b"}

    declare(mine)
    assert list(ask(previous={0: "gone"}).items()) == [(0, "b"), (1, "a")]
    assert asked == [("job", (0, 1), [*ABLE.items()], {0: "gone"})]


def test_a_custom_strategy_is_not_asked_without_instances(declare):
    declare(lambda job, items, instances, previous: 1 / 0)
    assert ask(instances={}) == {}


def test_a_custom_strategy_that_writes_into_what_it_is_given_changes_nothing(declare):
    def mine(job, items, instances, previous):
        instances.clear()
        previous.clear()
        return dict.fromkeys(items, "a")

    declare(mine)
    previous = {0: "a"}
    assert ask(previous=previous) == {0: "a", 1: "a"}
    assert (previous, [*ABLE]) == ({0: "a"}, ["b", "a"])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "it answered None, not {item: instance id}"),
        ([0, 1], "it answered [0, 1]"),
        ({0: "a"}, "it gave no owner to item 1"),
        ({0: "a", 1: "a", 2: "a"}, "it gave an owner to 2, which"),
        ({0: "a", 1: "a", "x": "a"}, "it gave an owner to 'x', which"),
        ({0: "a", 1: "gone"}, "it gave item 1 to 'gone', the id of no instance that may own it"),
        ({0: "a", 1: None}, "it gave item 1 to None"),
        ({0: "a", 1: ["a"]}, "TypeError: unhashable type"),
        ({0: "a", 1: ABLE["a"]}, "it gave item 1 to Instance(id='a'"),
    ],
)
def test_an_answer_that_is_nonsense_is_a_finding(declare, answer, why):
    declare(lambda job, items, instances, previous: answer)
    with pytest.raises(InvalidJob) as caught:
        ask()
    assert f"sharding strategy {PATH!r} failed: " in str(caught.value)
    assert why in str(caught.value)


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), SystemExit(1), InvalidJob("100 % sure")])
def test_a_strategy_that_raises_is_a_finding_with_its_cause(declare, error):
    def mine(job, items, instances, previous):
        raise error

    declare(mine)
    with pytest.raises(InvalidJob, match=rf"failed: {type(error).__name__}: {error}") as caught:
        ask()
    assert caught.value.__cause__ is error


def test_a_weighted_job_survives_capacities_that_nobody_could_have_given():
    with pytest.raises(InvalidJob, match="'weighted' failed"):
        ask(instances=able({"a": 0}), strategy="weighted")
