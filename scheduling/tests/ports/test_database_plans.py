"""What instances ask for at each fire is served by the index over what is live, whatever the history."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduling.models import Execution
from scheduling.tests.ports.database_stage import database_stage
from scheduling.tests.ports.stage import JOB

pytestmark = [pytest.mark.usefixtures("transactional_db"), pytest.mark.mariadb]

INDEX = "scheduling_live"


def test_looking_and_the_items_of_smaller_totals_are_read_by_the_index_over_what_is_live() -> None:
    stage = database_stage()
    stage.open(stage.configure(sharding_total_count=3), 30)
    with CaptureQueriesContext(connection) as queries:
        stage.ledger.look([JOB])
        stage.ledger.live_items()
        stage.ledger.claimed("none")
    asked = [query["sql"] for query in queries if Execution._meta.db_table in query["sql"]]
    assert len(asked) == 3
    for sql in asked:
        # Not `WHERE live`, which no index serves.
        assert "live" in sql and "IN (" in sql.split("live", 1)[1]
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN QUERY PLAN " + sql)
                assert any(INDEX in row[3] for row in cursor.fetchall()), sql
