"""Real schedulers, killed in turn: what the README promises is read from the database and from the probe's journal."""

import signal
import time
from itertools import pairwise

import pytest

from tests.acceptance.promises import check_fire_times, check_rows, check_runs, owned_again, shares
from tests.acceptance.site import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.mariadb]

SESSION_TIMEOUT = 6
SECONDS = 25


@pytest.mark.timeout(300)
def test_killed_in_turn_nothing_runs_twice_and_no_fire_time_is_lost(site):
    schedulers = [site.scheduler() for _ in range(3 if site.on_mariadb else 2)]
    eventually(lambda: shares(site, len(schedulers)), 30, "every scheduler owns its share")
    killed, began = {}, time.monotonic()
    while time.monotonic() - began < SECONDS:
        for scheduler in schedulers:
            time.sleep(1.3)
            working = scheduler.working_pid
            scheduler.kill()
            killed[working] = time.time()
            took = owned_again(site, len(schedulers) - 1, since=time.monotonic())
            print(f"every item owned again {took:.2f} s after the kill")
            assert took < 3 * SESSION_TIMEOUT + 1
            scheduler.start()
            eventually(lambda: shares(site, len(schedulers)), 30, "the scheduler started again owns its share")
    for scheduler in schedulers:
        scheduler.signal(signal.SIGTERM)
    assert [scheduler.wait() for scheduler in schedulers] == [0] * len(schedulers)
    check_runs(site)
    check_only_what_was_left_runs_again(site, killed)
    check_fire_times(site, at_least=10)
    check_rows(site)


def check_only_what_was_left_runs_again(site, killed):
    """Of a process that was killed only what it had not ended runs again, or had ended a moment before."""
    ends = {(note.token, note.item): note.time for note in site.notes() if note.event == "end"}
    starts = sorted((n for n in site.notes() if n.event == "start"), key=lambda n: (n.fire_time, n.item, n.token))
    for first, second in pairwise(starts):
        if (first.fire_time, first.item) == (second.fire_time, second.item):
            assert first.time <= killed[first.pid] <= second.time
            assert killed[first.pid] - ends.get((first.token, first.item), killed[first.pid]) < 3
