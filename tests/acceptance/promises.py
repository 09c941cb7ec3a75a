"""What must be so after real schedulers were killed, frozen or cut off, read from the tables and the journal."""

import json
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from tests.acceptance.site import eventually

HUNDRED = "probe-hundred"
ITEMS = 100


def owners(site, job=HUNDRED):
    """Return instance → how many of the job's items it owns, as the leader last wrote it for the web processes."""
    rows = site.rows("SELECT document FROM scheduling_snapshot")
    owned = json.loads(rows[0][0])["assignments"].get(job, {}) if rows else {}
    return {id: sum(last - first + 1 for first, last in ranges) for id, ranges in owned.items()}


def living(site):
    return {
        id for (id,) in site.rows("SELECT id FROM scheduling_instance WHERE joined_at IS NOT NULL AND died_at IS NULL")
    }


def shares(site, count, job=HUNDRED, items=ITEMS):
    """Do `count` living instances, and no others, own all items, in shares that differ by at most one?"""
    owned = owners(site, job)
    even = len(owned) == count and sum(owned.values()) == items and max(owned.values()) - min(owned.values()) <= 1
    return even and set(owned) <= living(site)


def owned_again(site, count, since):
    """Return the seconds from `since` (monotonic) until `count` living instances own all items."""
    eventually(lambda: shares(site, count), 60, "every item has a living owner")
    return time.monotonic() - since


def check_runs(site, at_least=500):
    """An execution runs again only where its instance had died, or had been declared dead, and under a larger token."""
    died = {
        id: at(died_at).timestamp()
        for id, died_at in site.rows("SELECT id, died_at FROM scheduling_instance WHERE died_at IS NOT NULL")
    }
    runs = defaultdict(list)
    for note in site.notes():
        if note.event == "start":
            runs[note.fire_time, note.item].append(note)
    assert len(runs) >= at_least
    for starts in runs.values():
        # By their tokens: one that was frozen before its first line writes it when it thaws.
        for first, second in pairwise(sorted(starts, key=lambda note: note.token)):
            assert second.token > first.token
            assert second.attempt > first.attempt
            assert died[first.instance] <= second.time
    tokens = [(note.item, note.token) for starts in runs.values() for note in starts]
    assert len(tokens) == len(set(tokens))
    print(f"{len(runs)} executions, {sum(len(s) - 1 for s in runs.values())} run again")


def check_fire_times(site, at_least=30):
    """Every second second since the job began is in the ledger, in a row of its own or in one that counts several."""
    rows = site.rows(
        "SELECT fire_time, first_missed, missed_count, state FROM scheduling_fire f "
        f"JOIN scheduling_job j ON j.id = f.job_id WHERE j.name = '{HUNDRED}' ORDER BY fire_time"
    )
    accounted = []
    for fire_time, first_missed, count, _state in rows:
        first = at(first_missed) if count else at(fire_time)
        accounted += [first + timedelta(seconds=2 * n) for n in range(max(count, 1))]
        assert accounted[-1] == at(fire_time)
    assert len(accounted) >= at_least
    assert all(later - earlier == timedelta(seconds=2) for earlier, later in pairwise(accounted))


def check_rows(site):
    """Nothing is left open or held, except by fires that came due while the last scheduler drained."""
    assert site.rows("SELECT COUNT(*) FROM scheduling_item WHERE execution_id IS NOT NULL") == [(0,)]
    assert site.rows("SELECT COUNT(*) FROM scheduling_execution WHERE state IN ('failed', 'lost', 'running')") == [(0,)]


def at(value):
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).replace(tzinfo=UTC)
