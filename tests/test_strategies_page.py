"""What docs/strategies.md shows is what happens, and the code on it runs as it stands."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import pytest

from scheduling.database import configuration, declarations
from scheduling.domain.cluster import Cluster, assignments_due
from scheduling.domain.instance import Instance
from scheduling.domain.job import Job
from scheduling.domain.strategies import STRATEGIES
from scheduling.domain.trigger import ManualTrigger
from scheduling.models import Item
from scheduling.models import Job as JobRow
from scheduling.runtime.handlers import HANDLERS

PAGE = (Path(__file__).parent.parent / "docs" / "strategies.md").read_text()
CODE = re.findall(r"```python\n# (\S+)\.py\n(.*?)```", PAGE, re.DOTALL)


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def rows(heading, beginning):
    """Return the cells below a heading, of the table that begins like this."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = section.partition(f"| {beginning} |")[2].splitlines()[2:]
    return [cells(line) for line in table if line.startswith("|")]


def instance(word):
    id, _times, capacity = word.partition("×")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Instance(
        id=id, host="h", pid=1, started_at=at, handlers=frozenset({"job"}), tzdata="", capacity=int(capacity or 1)
    )


def owners(job, instances, previous):
    seen = Cluster(instances={i.id: i for i in instances}, assignments={job.name: previous} if previous else {})
    due = assignments_due([job], seen, {})
    assert due.faults == {}
    return due.assignments.get(job.name, previous)


def shown(owners):
    return [" ".join(str(item) for item, owner in owners.items() if owner == id) for id in "abc"]


@pytest.mark.parametrize("strategy", ["sticky", "weighted", "average_allocation"])
def test_items_go_where_the_page_shows_them(strategy):
    previous = {}
    assert len(rows(strategy, "instances")) == 3
    for names, *expected in rows(strategy, "instances"):
        job = Job(name="job", handler="job", trigger=ManualTrigger(), sharding_total_count=10, strategy=strategy)
        previous = owners(job, map(instance, names.split()), previous)
        assert shown(previous) == expected


def test_items_go_by_name_where_the_page_shows_them():
    assert len(rows("odevity, round_robin", "strategy")) == 5
    for strategy, name, *expected in rows("odevity, round_robin", "strategy"):
        job = Job(name=name, handler="job", trigger=ManualTrigger(), sharding_total_count=2, strategy=strategy)
        assert shown(owners(job, map(instance, "abc"), {})) == expected


def test_the_page_names_every_strategy():
    table = PAGE.partition("| strategy | shares |")[2].splitlines()[2:]
    assert [cells(line)[0].strip("`") for line in table[: len(STRATEGIES)]] == list(STRATEGIES)


# The strategy by load


@pytest.fixture
def page_code(db):
    """Installs the page's modules, as they stand, and writes the job that they declare."""
    JobRow.objects.all().delete()
    modules = {"myapp": ModuleType("myapp")}
    with patch.dict(sys.modules, modules), patch.dict(HANDLERS, clear=True):
        for path, source in CODE:
            module = sys.modules[path.replace("/", ".")] = ModuleType(path.replace("/", "."))
            exec(compile(source, f"{path}.py", "exec"), module.__dict__)
        assert [synced.outcome for synced in declarations.sync()] == ["created"]
        yield


def import_orders(previous=None, instances="abc"):
    """Return how the leader shares out the page's job."""
    job = JobRow.objects.select_related("cursor").get(name="import-orders").as_domain()
    handlers = frozenset({"import-orders"})
    able = [Instance(**{**fields(instance(id)), "handlers": handlers}) for id in instances]
    return owners(job, able, previous or {})


def fields(instance):
    return {name: getattr(instance, name) for name in instance.__slots__}


def run_elsewhere(count, instance):
    """Let an instance run that many items of another job."""
    row = JobRow.objects.filter(name="other").first() or JobRow(name="other", handler="x", trigger_kind="manual")
    row.sharding_total_count = 20
    configuration.save(row)
    ids = list(Item.objects.filter(job=row).values_list("id", flat=True)[:count])
    Item.objects.filter(job=row).update(instance_id=None)
    Item.objects.filter(id__in=ids).update(instance_id=instance)


def counts(owners):
    return {id: [*owners.values()].count(id) for id in "abc"}


@pytest.mark.usefixtures("page_code")
class TestByLoad:
    def test_where_nothing_runs_the_shares_are_level(self):
        assert counts(import_orders()) == {"a": 2, "b": 3, "c": 3}

    def test_who_runs_much_gets_little(self):
        run_elsewhere(5, "b")
        assert counts(import_orders()) == {"a": 4, "b": 0, "c": 4}

    def test_what_this_job_itself_runs_is_no_load(self):
        Item.objects.filter(job__name="import-orders").update(instance_id="b")
        assert counts(import_orders()) == {"a": 2, "b": 3, "c": 3}

    @pytest.mark.parametrize(("running", "moved"), [(0, 0), (3, 0), (4, 1), (6, 2)])
    def test_an_item_moves_only_if_it_is_worth_it(self, running, moved):
        before = import_orders()
        run_elsewhere(running, "b")
        after = import_orders(before)
        assert sum(after[item] != before[item] for item in before) == moved
        assert import_orders(after) == after

    def test_items_of_one_that_is_gone_find_new_owners_and_the_others_stay(self):
        before = import_orders()
        after = import_orders(before, instances="ab")
        assert all(after[item] == owner for item, owner in before.items() if owner != "c")
        assert counts(after)["c"] == 0
