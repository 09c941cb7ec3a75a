"""Real schedulers, killed in turn: what the README promises is read from the database and from the probe's journal."""

import json
import signal
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.acceptance.site import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.mariadb]

ITEMS = 100
SESSION_TIMEOUT = 5


@pytest.mark.timeout(300)
def test_killed_in_turn_for_a_minute_nothing_runs_twice_and_no_fire_time_is_lost(site):
    schedulers = [site.scheduler() for _ in range(3 if site.on_mariadb else 2)]
    eventually(lambda: shares(site, len(schedulers)), 30, "every scheduler owns its share")
    killed, began = {}, time.monotonic()
    while time.monotonic() - began < 60:
        for scheduler in schedulers:
            time.sleep(1.3)
            killed[scheduler.pid] = time.time()
            scheduler.kill()
            took = owned_again(site, without=1)
            print(f"every item owned again {took:.2f} s after the kill")
            assert took < SESSION_TIMEOUT + 10
            scheduler.start()
            eventually(lambda: shares(site, len(schedulers)), 30, "the scheduler started again owns its share")
    for scheduler in schedulers:
        scheduler.signal(signal.SIGTERM)
    assert [scheduler.wait() for scheduler in schedulers] == [0] * len(schedulers)
    check_runs(site, killed)
    check_fire_times(site)
    check_rows(site)


def owners(site):
    rows = site.rows(
        "SELECT document FROM scheduling_assignment a "
        "JOIN scheduling_job j ON j.id = a.job_id WHERE j.name = 'probe-hundred'"
    )
    document = json.loads(rows[0][0]) if rows else {}
    return {id: sum(last - first + 1 for first, last in ranges) for id, ranges in document.items()}


def living(site):
    return {
        id for (id,) in site.rows("SELECT id FROM scheduling_instance WHERE joined_at IS NOT NULL AND died_at IS NULL")
    }


def shares(site, count):
    """Do `count` living instances, and no others, own all items, in shares that differ by at most one?"""
    owned = owners(site)
    even = len(owned) == count and sum(owned.values()) == ITEMS and max(owned.values()) - min(owned.values()) <= 1
    return even and set(owned) <= living(site)


def owned_again(site, without):
    began = time.monotonic()
    count = len(owners(site)) - without
    eventually(lambda: shares(site, count), 60, "every item has a living owner")
    return time.monotonic() - began


def check_runs(site, killed):
    """An execution runs again only where a killed process had left it unfinished, then under a larger token."""
    runs, ends = defaultdict(list), defaultdict(list)
    for note in site.notes():
        if note.event == "start":
            runs[note.fire_time, note.item].append(note)
        else:
            ends[note.token, note.item].append(note.time)
    assert len(runs) > 500
    for starts in runs.values():
        for first, second in pairwise(starts):
            assert second.token > first.token
            assert second.attempt == first.attempt + 1
            assert first.time <= killed[first.pid] <= second.time
            # Its result may have been on its way, but no longer than a moment.
            assert all(killed[first.pid] - end < 3 for end in ends[first.token, first.item])
    tokens = [(note.item, note.token) for starts in runs.values() for note in starts]
    assert len(tokens) == len(set(tokens))
    print(f"{len(runs)} executions, {sum(len(s) - 1 for s in runs.values())} run again after a kill")


def check_fire_times(site):
    """Every second second since the job began is in the ledger, in a row of its own or in one that counts several."""
    rows = site.rows(
        "SELECT fire_time, first_missed, missed_count, state FROM scheduling_fire f "
        "JOIN scheduling_job j ON j.id = f.job_id WHERE j.name = 'probe-hundred' ORDER BY fire_time"
    )
    accounted = []
    for fire_time, first_missed, count, _state in rows:
        first = at(first_missed) if count else at(fire_time)
        accounted += [first + timedelta(seconds=2 * n) for n in range(max(count, 1))]
        assert accounted[-1] == at(fire_time)
    assert len(accounted) > 30
    assert all(later - earlier == timedelta(seconds=2) for earlier, later in pairwise(accounted))


def check_rows(site):
    """Nothing is left open or held, except by fires that came due while the last scheduler drained."""
    assert site.rows("SELECT COUNT(*) FROM scheduling_item WHERE execution_id IS NOT NULL") == [(0,)]
    assert site.rows("SELECT COUNT(*) FROM scheduling_execution WHERE state IN ('failed', 'lost', 'running')") == [(0,)]


def at(value):
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).replace(tzinfo=UTC)
