"""Six processes that open, claim and finish everything at one instant."""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import chain
from statistics import median, quantiles

import pytest

from tests.acceptance.site import ROOT

pytestmark = [pytest.mark.acceptance, pytest.mark.mariadb]

PROCESSES, ROUNDS, JOBS, ITEMS = 6, 4, 200, 5

CONFIGURE = f"""
from scheduling.database.ledger import DatabaseLedger
from scheduling.domain.job import Job
from scheduling.domain.trigger import ManualTrigger
for number in range({JOBS}):
    DatabaseLedger().configure(
        Job(name=f"contend-{{number}}", handler="x", trigger=ManualTrigger(), sharding_total_count={ITEMS})
    )
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("registry", ["database"], indirect=True)
def test_six_processes_at_one_instant_meet_no_deadlock_and_leave_no_duplicate(site):
    site.manage("shell", "--verbosity", "0", "--command", CONFIGURE)
    deadlocks = count_deadlocks(site)
    reports = contend(site)
    assert sum(report["won"] for report in reports) == ROUNDS * JOBS
    claims = Counter(tuple(claim) for report in reports for claim in report["claims"])
    assert len(claims) == ROUNDS * JOBS * ITEMS
    assert set(claims.values()) == {1}
    check_ledger(site)
    for what in reports[0]["times"]:
        times = sorted(chain.from_iterable(report["times"][what] for report in reports))
        p99 = quantiles(times, n=100)[98]
        print(f"{what}: median {median(times) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, {len(times)} transactions")
    assert count_deadlocks(site) == deadlocks


def contend(site):
    contenders = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.contender", f"contender-{number}", str(ROUNDS), str(JOBS)],
            cwd=ROOT,
            env=site.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    try:
        assert [contender.stdout.readline() for contender in contenders] == ["ready\n"] * PROCESSES
        first = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
        for contender in contenders:
            contender.stdin.write(first.isoformat() + "\n")
            contender.stdin.flush()
        return [json.loads(contender.communicate(timeout=200)[0]) for contender in contenders]
    finally:
        for contender in contenders:
            contender.kill()
            contender.wait()


def check_ledger(site):
    contended = "FROM scheduling_fire f JOIN scheduling_job j ON j.id = f.job_id WHERE j.name LIKE 'contend-%'"
    assert site.rows(f"SELECT f.state, COUNT(*) {contended} GROUP BY f.state") == [("succeeded", ROUNDS * JOBS)]
    assert site.rows("SELECT COUNT(*) FROM scheduling_item WHERE execution_id IS NOT NULL") == [(0,)]
    assert site.rows("SELECT MIN(token), MAX(token) FROM scheduling_item i JOIN scheduling_job j ON j.id = i.job_id "
                     "WHERE j.name LIKE 'contend-%'") == [(ROUNDS, ROUNDS)]  # fmt: skip


def count_deadlocks(site):
    if not site.on_mariadb:
        return 0  # SQLite has one writer at a time
    ((_, count),) = site.rows("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
    return int(count)
