"""What the leader keeps of the registry for the web processes, as the database has it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.models import F

from scheduling.database.ledger import DatabaseLedger
from scheduling.database.snapshot import FRESH_SECONDS, LOOKS_MOST, is_snapshot_fresh, read_snapshot
from scheduling.models import Snapshot
from scheduling.tests.ports.showing_suite import CLUSTER

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


def test_states_can_be_read_by_anybody():
    DatabaseLedger().show(CLUSTER, by="a")
    shown = Snapshot.objects.get().document["instances"]
    assert {id: document["state"] for id, document in shown.items()} == {"a": "live", "b": "draining"}


def test_what_has_not_changed_costs_one_statement(django_assert_num_queries):
    ledger = DatabaseLedger()
    ledger.show(CLUSTER, by="a")
    with django_assert_num_queries(1):
        ledger.show(replace(CLUSTER), by="a")


def test_an_older_document_that_a_restore_brought_back_does_not_stay():
    ledger = DatabaseLedger()
    ledger.show(CLUSTER, by="a")
    Snapshot.objects.update(document={"instances": {}, "assignments": {}})
    for _look in range(LOOKS_MOST):
        ledger.show(CLUSTER, by="a")
    assert read_snapshot().cluster.instances == CLUSTER.instances


def test_a_change_is_written_without_reading_what_was_there(django_assert_num_queries):
    ledger = DatabaseLedger()
    ledger.show(CLUSTER, by="a")
    with django_assert_num_queries(3) as statements:
        ledger.show(replace(CLUSTER, assignments={}), by="a")
    begin, update, end = (statement["sql"] for statement in statements)
    assert update.startswith("UPDATE")
    assert "SAVEPOINT" in begin and "SAVEPOINT" in end


def test_what_was_shown_is_fresh_until_the_leader_has_missed_two_looks():
    DatabaseLedger().show(CLUSTER, by="a")
    assert read_snapshot().is_fresh and is_snapshot_fresh()
    Snapshot.objects.update(looked_at=F("looked_at") - timedelta(seconds=FRESH_SECONDS))
    assert not read_snapshot().is_fresh and not is_snapshot_fresh()


def test_what_was_shown_before_the_clock_was_set_back_is_not_fresh():
    DatabaseLedger().show(CLUSTER, by="a")
    Snapshot.objects.update(looked_at=F("looked_at") + timedelta(hours=1))
    assert not read_snapshot().is_fresh and not is_snapshot_fresh()
    DatabaseLedger().show(CLUSTER, by="a")
    assert read_snapshot().is_fresh


@pytest.mark.parametrize(
    "document",
    [
        7,
        [7],
        {},
        {"instances": {"a": {"host": "h"}}, "assignments": {}},
        {"instances": {}, "assignments": {"job": {"a": [[0]]}}},
    ],
)
def test_what_cannot_be_read_counts_as_nothing_and_is_logged(document, caplog):
    DatabaseLedger().show(CLUSTER, by="a")
    Snapshot.objects.update(document=document)
    assert read_snapshot() is None
    assert "the snapshot of the registry cannot be read" in caplog.text
