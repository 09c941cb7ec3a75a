from unittest.mock import patch

import pytest
from django.db import OperationalError, connection

from logins.status import RedisState
from scheduling.database.clock import DatabaseNow
from scheduling.models import Snapshot


@pytest.mark.django_db
def test_a_replica_is_ready_with_the_database_alone(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "database": "ok", "redis": "unused", "registry": "degraded"}


@pytest.mark.django_db
def test_the_registry_is_fine_while_the_leader_looks(client):
    Snapshot.objects.create(id=1, leader="a", epoch=1, document={}, looked_at=DatabaseNow())
    assert client.get("/readyz").json()["registry"] == "ok"


@pytest.mark.django_db
@pytest.mark.parametrize("state, word", [(RedisState.AWAY, "degraded"), (RedisState.BELIEVED, "ok")])
def test_a_redis_that_is_away_takes_no_replica_out(client, state, word):
    with patch("config.health.redis_state", lambda: state):
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["redis"]) == (200, word)


@pytest.mark.django_db
def test_without_the_database_a_replica_is_not_ready(client):
    def fail(*arguments):
        raise OperationalError("gone away")

    with connection.execute_wrapper(fail):
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "database": "unavailable"})


def test_nobody_keeps_the_answer(client, db):
    assert "no-store" in client.get("/readyz").headers["Cache-Control"]
