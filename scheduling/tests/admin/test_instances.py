"""The list of instances: who lives, who leads, who owns what."""

from datetime import timedelta

import pytest

from scheduling.admin.overview import Overview, read_overview
from scheduling.database import snapshot
from scheduling.database.clock import database_now
from scheduling.database.ledger import DatabaseLedger
from scheduling.domain.cluster import Cluster
from scheduling.domain.instance import Instance as RunningInstance
from scheduling.models import Instance, Item, Snapshot
from scheduling.tests.admin.conftest import NOON, saved, url

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_for_a_minute(monkeypatch):
    """Leave a test time enough for what it does with what the leader has just seen."""
    monkeypatch.setattr(snapshot, "FRESH_SECONDS", 60.0)


def instance(id: str, **fields) -> Instance:
    return Instance.objects.create(id=id, host="web", pid=1, started_at=NOON, joined_at=NOON, **fields)


def running(id, **fields):
    defaults = {"host": "web", "pid": 1, "started_at": NOON, "handlers": frozenset({"nightly"}), "tzdata": ""}
    return RunningInstance(id=id, **(defaults | fields))


def shown(*instances, leader="a-1", ago=0.0, assignments=None):
    """Let the leader have looked at these instances."""
    seen = {instance.id: instance for instance in instances}
    cluster = Cluster(instances=seen, leader=leader, epoch=1, assignments=assignments or {})
    DatabaseLedger().show(cluster, by=leader)
    Snapshot.objects.update(looked_at=database_now() - timedelta(seconds=ago))


def registered(id: str, **fields) -> Instance:
    shown(running(id, **fields))
    return instance(id)


@pytest.mark.parametrize(("offset", "text"), [(0.0, "0.0 s"), (6.3, "6.3 s"), (-86_400.0, "-86400.0 s")])
def test_how_far_its_clock_is_ahead_is_shown(admin_client, offset, text):
    row = registered("a-1", clock_offset=offset)
    for address in (url("instance", "changelist"), url("instance", "change", row.pk)):
        page = admin_client.get(address).content.decode()
        assert "lock ahead by" in page
        assert text in page


@pytest.mark.parametrize(
    ("make", "state"),
    [
        (lambda: registered("a-1"), "live"),
        (lambda: registered("a-1", draining=True), "draining"),
        (lambda: (shown(), instance("a-1"))[1], "holding"),
        (lambda: instance("a-1", died_at=NOON, died_by="b-2"), "dead"),
        (lambda: instance("a-1", died_at=NOON, died_by="a-1"), "left"),
    ],
)
def test_the_state_of_an_instance(admin_client, make, state):
    row = make()
    assert read_overview().state_of(row) == state
    for address in (url("instance", "changelist"), url("instance", "change", row.pk)):
        assert f"is-{state}" in admin_client.get(address).content.decode()


def test_the_leader_and_the_items_that_each_owns_are_shown(admin_client):
    row = saved(sharding_total_count=4)
    owners = {0: "a-1", 1: "a-1", 2: "b-2", 3: "a-1"}
    shown(running("a-1", capacity=7), running("b-2"), assignments={"nightly": owners})
    instance("a-1"), instance("b-2")
    Item.objects.filter(job=row, number=2).update(instance_id="b-2")
    page = admin_client.get(url("instance", "changelist")).content.decode()
    assert page.count('href="#i-leader"') == 1
    assert "nightly: 0–1, 3" in page
    assert "nightly: 2" in page
    assert '<td class="field-capacity">7</td>' in page
    overview = read_overview()
    assert overview.held == {"b-2": 1}
    assert [overview.number_owned_by(id) for id in ("a-1", "b-2", "c-3")] == [3, 1, 0]


def test_the_living_come_first_then_the_newest(admin_client):
    instance("a-1", died_at=NOON, died_by="b-2")
    instance("c-3", died_at=NOON + timedelta(hours=1), died_by="c-3")
    registered("b-2")
    rows = admin_client.get(url("instance", "changelist")).context["cl"].result_list
    assert [row.pk for row in rows] == ["b-2", "c-3", "a-1"]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: None, "No instance has led yet"),
        (lambda: shown(running("a-1"), ago=61), "Leader a-1 last looked on "),
        (lambda: shown(running("a-1"), ago=61), "UTC, 1 min ago"),
        (lambda: shown(running("a-1"), ago=61), "the registry that REGISTRY_URL names"),
        (lambda: (shown(running("a-1")), Snapshot.objects.update(document=[7])), "last leader wrote cannot be read"),
    ],
)
def test_what_is_not_known_now_is_said_and_the_page_still_works(admin_client, make, why):
    make()
    row = instance("a-1")
    instance("b-2", died_at=NOON, died_by="a-1"), instance("c-3")
    text = admin_client.get(url("instance", "changelist")).content.decode()
    assert "The registry is degraded" in text
    assert text.count(why) == 1
    assert "is-dead" in text
    assert "is-live" not in text
    assert why in admin_client.get(url("instance", "change", row.pk)).content.decode()


@pytest.mark.parametrize(
    ("by", "state", "words"),
    [("a-1", "left", "itself"), ("b-2", "dead", "b-2"), ("supervisor", "dead", "its supervisor")],
)
def test_who_has_declared_the_end_of_an_instance_is_said(admin_client, by, state, words):
    row = instance("a-1", died_at=NOON, died_by=by)
    page = admin_client.get(url("instance", "change", row.pk)).content.decode()
    assert f'<div class="readonly">{words}</div>' in page
    assert f"is-{state}" in page


def test_one_reading_serves_all_rows(admin_client, django_assert_max_num_queries):
    shown(*(running(f"a-{number}") for number in range(30)))
    for number in range(30):
        instance(f"a-{number}")
    with django_assert_max_num_queries(16):
        admin_client.get(url("instance", "changelist"))


def test_an_instance_that_owns_nothing_owns_nothing():
    assert Overview().owned_by("a-1") == {}
    assert Overview().number_owned_by("a-1") == 0
