"""What the leader keeps of the registry for the web processes."""

from dataclasses import replace

import pytest

from scheduling.database.ledger import DatabaseLedger
from scheduling.database.snapshot import read_snapshot
from scheduling.domain.cluster import Cluster
from scheduling.models import Snapshot
from scheduling.tests.ports.stage import an_instance

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

CLUSTER = Cluster(
    instances={"a": an_instance("a", capacity=3), "b": an_instance("b", draining=True)},
    leader="a",
    epoch=7,
    assignments={"job": {0: "a", 1: "a", 2: "b"}},
)


def test_nothing_is_seen_before_anything_was_shown():
    assert read_snapshot() is None


def test_what_was_shown_is_seen():
    DatabaseLedger().show(CLUSTER, by="a")
    seen = read_snapshot()
    assert (seen.cluster, seen.is_fresh) == (CLUSTER, True)


def test_states_can_be_read_by_anybody():
    DatabaseLedger().show(CLUSTER, by="a")
    shown = Snapshot.objects.get().document["instances"]
    assert {id: document["state"] for id, document in shown.items()} == {"a": "live", "b": "draining"}


def test_what_has_not_changed_costs_one_statement(django_assert_num_queries):
    ledger = DatabaseLedger()
    ledger.show(CLUSTER, by="a")
    first = Snapshot.objects.get().looked_at
    with django_assert_num_queries(1):
        ledger.show(replace(CLUSTER), by="a")
    assert Snapshot.objects.get().looked_at >= first


def test_what_has_changed_is_written_anew():
    ledger = DatabaseLedger()
    ledger.show(CLUSTER, by="a")
    changed = replace(CLUSTER, assignments={"job": {0: "b"}})
    ledger.show(changed, by="a")
    assert read_snapshot().cluster == changed


def test_another_leader_writes_its_own_and_the_first_its_own_again():
    a, b = DatabaseLedger(), DatabaseLedger()
    other = replace(CLUSTER, leader="b", epoch=8)
    for ledger, cluster in ((a, CLUSTER), (b, other), (a, CLUSTER)):
        ledger.show(cluster, by=cluster.leader)
        assert read_snapshot().cluster == cluster


def test_a_thousand_jobs_with_ten_items_each_fit():
    owners = {f"job-{n}": {item: f"instance-number-{item % 5}" for item in range(10)} for n in range(1000)}
    big = replace(CLUSTER, assignments=owners)
    DatabaseLedger().show(big, by="a")
    assert read_snapshot().cluster == big
