"""The list of instances: who lives, who leads, who owns what."""

from datetime import timedelta

import pytest

from scheduling.admin.overview import Overview, read_overview
from scheduling.database.clock import database_now
from scheduling.database.registry import DatabaseRegistry
from scheduling.domain.errors import RegistryUnavailable
from scheduling.models import Assignment, Instance, Item, Leadership, Registration
from scheduling.tests.admin.conftest import NOON, saved, url

pytestmark = pytest.mark.django_db


def instance(id: str, **fields) -> Instance:
    return Instance.objects.create(id=id, host="web", pid=1, started_at=NOON, joined_at=NOON, **fields)


def registered(id: str, *, beat_ago: float = 0.0, draining: bool = False) -> Instance:
    document = {"host": "web", "pid": 1, "started_at": NOON.isoformat(), "handlers": ["nightly"], "tzdata": ""}
    Registration.objects.create(
        instance=id,
        document=document | {"draining": draining},
        seen_at=database_now() + timedelta(hours=1) if not beat_ago else database_now() - timedelta(seconds=beat_ago),
    )
    return instance(id)


@pytest.mark.parametrize(
    ("make", "state"),
    [
        (lambda: registered("a-1"), "live"),
        (lambda: registered("a-1", draining=True), "draining"),
        (lambda: registered("a-1", beat_ago=3.5), "holding"),
        (lambda: instance("a-1"), "holding"),
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
    registered("a-1")
    registered("b-2")
    Leadership.objects.create(id=1, instance="a-1", epoch=1)
    Assignment.objects.create(job=row, epoch=1, document={"a-1": [[0, 1], [3, 3]], "b-2": [[2, 2]]})
    Item.objects.filter(job=row, number=2).update(instance_id="b-2")
    page = admin_client.get(url("instance", "changelist")).content.decode()
    assert page.count('href="#i-leader"') == 1
    assert "nightly 0–1, 3" in page
    assert "nightly 2" in page
    assert read_overview().held == {"b-2": 1}


def test_the_living_come_first_then_the_newest(admin_client):
    instance("a-1", died_at=NOON, died_by="b-2")
    instance("c-3", died_at=NOON + timedelta(hours=1), died_by="c-3")
    registered("b-2")
    rows = admin_client.get(url("instance", "changelist")).context["cl"].result_list
    assert [row.pk for row in rows] == ["b-2", "c-3", "a-1"]


def test_a_registry_that_gives_no_answer_is_said_and_the_page_still_works(admin_client, monkeypatch):
    def gone(registry):
        raise RegistryUnavailable("the registry gave no answer: %(error)s", error="refused")

    monkeypatch.setattr(DatabaseRegistry, "cluster", gone)
    row = registered("a-1")
    instance("b-2", died_at=NOON, died_by="a-1")
    response = admin_client.get(url("instance", "changelist"))
    text = response.content.decode()
    assert "The registry is degraded" in text
    assert "refused" in text
    assert "is-dead" in text
    assert "is-live" not in text
    assert admin_client.get(url("instance", "change", row.pk)).status_code == 200


def test_one_reading_serves_all_rows(admin_client, django_assert_max_num_queries):
    for number in range(30):
        registered(f"a-{number}")
    with django_assert_max_num_queries(16):
        admin_client.get(url("instance", "changelist"))


def test_an_instance_that_owns_nothing_owns_nothing():
    assert Overview().owned_by("a-1") == {}
    assert Overview().number_owned_by("a-1") == 0
