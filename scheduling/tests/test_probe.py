"""What `runscheduler --check` says of a machine, by what the database has."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder

from scheduling.database.clock import database_now
from scheduling.database.ledger import DatabaseLedger
from scheduling.domain.cluster import Cluster
from scheduling.domain.instance import Holding
from scheduling.domain.instance import Instance as RunningInstance
from scheduling.management.probe import probe
from scheduling.models import Instance, Snapshot

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def instance(id, host="here", **fields):
    return Instance.objects.create(id=id, host=host, pid=1, started_at=NOON, joined_at=NOON, **fields)


def shown(*ids, draining=(), holding=None, ago=0):
    """Let the leader have looked `ago` seconds ago."""
    seen = {
        id: RunningInstance(
            id=id,
            host="here",
            pid=1,
            started_at=NOON,
            handlers=frozenset(),
            tzdata="",
            draining=id in draining,
            holding=(holding or {}).get(id),
            clock_offset=-3.25,
        )
        for id in ids
    }
    DatabaseLedger().show(Cluster(instances=seen, leader="a-1", epoch=1), by="a-1")
    if ago:
        Snapshot.objects.update(looked_at=database_now() - timedelta(seconds=ago))


def test_an_instance_that_the_leader_sees_is_live():
    instance("a-1"), shown("a-1")
    assert (probe("here").is_well, probe("here").line) == (True, "instance a-1 is live")


def test_one_that_drains_is_well_too():
    instance("a-1"), shown("a-1", draining=["a-1"])
    assert (probe("here").is_well, probe("here").line) == (True, "instance a-1 is draining")


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (Holding.CLOCK_IS_OFF, "instance a-1 is holding: its clock is off by -3.2 s"),
        (Holding.CLOCK_LEAPT, "instance a-1 is holding: the clock has leapt forward"),
        (Holding.LEDGER_WENT_BACK, "instance a-1 is holding: the ledger is older than what it has shown before"),
        (Holding.UNKNOWN, "instance a-1 is holding for a reason that is not known here"),
    ],
)
def test_one_that_holds_is_not_well_unless_another_is(reason, line):
    instance("a-1"), shown("a-1", holding={"a-1": reason})
    assert (probe("here").is_well, probe("here").line) == (False, line)
    instance("b-2"), shown("a-1", "b-2", holding={"a-1": reason}, draining=["b-2"])
    assert (probe("here").is_well, probe("here").line) == (True, "instance b-2 is draining")


def test_any_of_several_on_the_machine_is_enough():
    instance("a-1"), instance("b-2"), instance("c-3", died_at=NOON, died_by="b-2"), shown("b-2")
    assert probe("here").is_well


def test_instances_of_other_machines_are_none_of_this_one():
    instance("a-1", host="there"), shown("a-1")
    assert (probe("here").is_well, probe("here").line) == (False, "no instance of here has ever been there")


def test_one_that_the_leader_does_not_see_is_holding():
    instance("a-1", host="there"), instance("b-2"), shown("a-1")
    expected = "instance b-2 is holding: the registry does not show it"
    assert (probe("here").is_well, probe("here").line) == (False, expected)


@pytest.mark.parametrize(
    ("by", "line"),
    [
        ("supervisor", "instance b-2 is dead since 2026-03-01T12:00:00+00:00, declared by supervisor"),
        ("a-1", "instance b-2 is dead since 2026-03-01T12:00:00+00:00, declared by a-1"),
        ("b-2", "instance b-2 has left at 2026-03-01T12:00:00+00:00"),
    ],
)
def test_one_whose_life_has_ended_is_not_well_though_the_last_reading_shows_it(by, line):
    instance("a-1", host="there"), instance("b-2", died_at=NOON, died_by=by), shown("a-1", "b-2")
    assert (probe("here").is_well, probe("here").line) == (False, line)


def test_an_old_reading_says_nothing_of_anybody():
    instance("a-1"), shown("a-1", ago=60)
    assert not probe("here").is_well
    assert probe("here").line.startswith("the registry is degraded since ")
    assert probe("here").line.endswith(": that is when leader a-1 last looked")


def test_where_nobody_has_led_yet_the_registry_is_degraded():
    instance("a-1")
    expected = "the registry is degraded: no leader has written what it sees"
    assert (probe("here").is_well, probe("here").line) == (False, expected)


def test_where_tables_are_missing_migrate_is_named():
    def without(execute, sql, *rest):
        if "scheduling_" in sql:
            raise DatabaseError("no such table: scheduling_snapshot")
        return execute(sql, *rest)

    MigrationRecorder.Migration.objects.filter(app="scheduling").delete()
    with connection.execute_wrapper(without):
        assert probe("here").line == "1 migrations are not applied: run `manage.py migrate` first"


def test_whatever_the_database_raises_is_one_line():
    def refuse(*_arguments):
        raise DatabaseError("no such table:\n  scheduling_snapshot")

    with connection.execute_wrapper(refuse):
        finding = probe("here")
    assert not finding.is_well
    assert finding.line == "the database gives no answer: no such table: scheduling_snapshot"
