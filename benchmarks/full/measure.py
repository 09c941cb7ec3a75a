"""Measuring one database, in a process of its own that does one round whenever it is asked to."""

import json
import os
import re
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402

from benchmarks.full.load import JOBS, load  # noqa: E402
from scheduling.database import pruning  # noqa: E402
from scheduling.database.ledger import DatabaseLedger  # noqa: E402
from scheduling.domain.fire import ExecutionState, Result  # noqa: E402
from scheduling.domain.instance import Instance  # noqa: E402
from scheduling.domain.job import Job  # noqa: E402
from scheduling.domain.misfire import Opening  # noqa: E402
from scheduling.domain.trigger import ManualTrigger  # noqa: E402
from scheduling.models import Cursor as CursorRow  # noqa: E402
from scheduling.models import Fire  # noqa: E402
from scheduling.models import Job as JobRow  # noqa: E402

PAGES = ("fire", "execution", "instance", "job")
Times = dict[str, float]
"""What was done → milliseconds"""


def serve(fires: int) -> None:
    """Load so many fires, then answer each line of the standard input with one: what a round took, or what it asks."""
    call_command("migrate", verbosity=0)
    ledger = DatabaseLedger()
    for number in range(JOBS):
        ledger.configure(Job(name=f"full-{number}", handler="full", trigger=ManualTrigger(), sharding_total_count=5))
    started = ledger.cursors().now
    ledger.enter(Instance(id="a", host="h", pid=1, tzdata="2026a", started_at=started, handlers=frozenset({"full"})))
    ledger.join("a")
    jobs = list(JobRow.objects.filter(name__startswith="full-").order_by("id"))
    if fires:
        load(jobs, fires)
    client = Client()
    client.force_login(User.objects.create_user("b", is_staff=True, is_superuser=True))
    asked: dict[str, Callable[[], object]] = {
        "round": lambda: round_of(ledger, client, jobs),
        "plans": lambda: explained(ledger),
    }
    asked["prune"] = lambda: pruning_alone(ledger, fires)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(asked[line.strip()]()), flush=True)


def round_of(ledger: DatabaseLedger, client: Client, jobs: list[JobRow]) -> Times:
    """Do everything once."""
    times = Times()
    addresses = {f"list of {model}s": reverse(f"admin:scheduling_{model}_changelist") for model in PAGES}
    addresses["page of a job"] = reverse("admin:scheduling_job_change", args=(jobs[0].pk,))
    fire(ledger, times)
    timed(times, "prune, nothing to do", ledger.prune)
    for name, address in addresses.items():
        timed(times, name, partial(page, client, address))
    return times


def pruning_alone(ledger: DatabaseLedger, fires: int) -> Times:
    """Prune once where half of each job's fires are too many."""
    JobRow.objects.filter(name__startswith="full-").update(keep_fires=fires // JOBS // 2)
    times = Times()
    timed(times, "prune 1,000 fires", ledger.prune)
    return times


def fire(ledger: DatabaseLedger, times: Times) -> None:
    """Open one fire of each job, look, claim, finish and settle."""
    names = {f"full-{number}" for number in range(JOBS)}
    time.sleep(0.001)
    openings = [due(ledger, job) for job in ledger.jobs() if job.name in names]
    opened = timed(times, "open", lambda: ledger.open(openings, by="a"))
    assert len(opened) == JOBS
    look = timed(times, "look", lambda: ledger.look(names))
    attempts = timed(times, "claim", lambda: ledger.claim(look.executions, by="a", claim=str(time.monotonic_ns())))
    assert len(attempts) == 5 * JOBS
    results = [Result(attempt=attempt, state=ExecutionState.SUCCEEDED) for attempt in attempts]
    timed(times, "finish", lambda: ledger.finish(results))
    timed(times, "settle", lambda: ledger.settle({attempt.fire for attempt in attempts}))


def due(ledger: DatabaseLedger, job: Job) -> Opening:
    """Return the opening of the job's next second, which has passed: the cursor is put back far enough."""
    row = CursorRow.objects.get(job__name=job.name)
    newest = Fire.objects.filter(job__name=job.name).order_by("-fire_time").values_list("fire_time", flat=True).first()
    hour_ago = (ledger.cursors().now - timedelta(minutes=59)).replace(microsecond=0)
    at = max(newest + timedelta(seconds=1), hour_ago) if newest else hour_ago
    CursorRow.objects.filter(pk=row.pk).update(counted_to=at - timedelta(seconds=1))
    return Opening(job=job, counted_to=at, fires=(at,))


def page(client: Client, address: str) -> None:
    response = client.get(address, HTTP_HOST="localhost")
    assert response.status_code == 200, (address, response.status_code)


def timed(times: Times, name: str, act: Callable[[], Any]) -> Any:
    begun = time.perf_counter()
    answer = act()
    times[name] = (time.perf_counter() - begun) * 1000
    return answer


def explained(ledger: DatabaseLedger) -> list[dict[str, str]]:
    """Return the statements that read fires and executions, each with its plan in one line."""
    with CaptureQueriesContext(connection) as queries:
        fire(ledger, {})
        ledger.settle()
        ledger.live_items()
        ledger.prune()
        pruning.of_no_use(1, pruning.overall(), ledger.cursors().now, 1_000)
    found: dict[str, str] = {}
    for query in queries:
        statement = shape(query["sql"])
        if (
            "job.name = ?" not in statement
            and statement.startswith(("SELECT", "UPDATE", "DELETE"))
            and (" fire" in statement or " execution" in statement)
        ):
            found.setdefault(statement, query["sql"])
    return [{"statement": statement, "plan": plan_of(sql)} for statement, sql in found.items()]


def shape(sql: str) -> str:
    """Return the statement without its columns and values."""
    bare = sql.replace("`", "").replace('"', "").replace("scheduling_", "")
    bare = re.sub(r"^SELECT .*? FROM ", "SELECT … FROM ", bare) if not bare.startswith("SELECT COUNT") else bare
    bare = re.sub(r" SET .*? WHERE ", " SET … WHERE ", bare)
    bare = re.sub(r"IN \([^S][^)]*\)", "IN (…)", bare)
    bare = re.sub(r"'[^']*'", "?", bare)
    return re.sub(r"\b\d+\b", "?", bare)


def plan_of(sql: str) -> str:
    prefix = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        cursor.execute(prefix + sql.replace("%", "%%"), ())
        rows = cursor.fetchall()
    if connection.vendor == "sqlite":
        return "; ".join(str(row[3]) for row in rows)
    return "; ".join(f"{row[2]}: {row[3]} by {row[5] or 'nothing'}, {row[8]} rows" for row in rows)
