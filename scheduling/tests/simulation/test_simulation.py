"""A fixed set of histories, and that a history is nothing but its seed."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from scheduling.tests.simulation.world import play


@pytest.fixture(scope="module")
def counts():
    """How often each thing happened in the histories that were played."""
    return Counter()


@pytest.mark.parametrize("first", range(0, 80, 10))
def test_every_promise_holds_on_these_histories(counts, first):
    for seed in range(first, first + 10):
        counts.update(play(seed).counts)


def test_the_histories_meet_every_fault_and_what_follows_from_it(counts):
    happened = (
        *("crashed", "killed", "frozen", "frozen in a call", "slow call", "cut off", "lost reply", "drained"),
        *("declared dead", "taken over", "put back", "too late", "elected", "edited", "retired", "requested"),
    )
    assert not {kind for kind in happened if not counts[kind]}
    assert counts["claimed"] > 1000


def test_the_same_seed_is_the_same_history_in_every_process():
    code = "from scheduling.tests.simulation.world import play\nfor seed in range(5): print(play(seed).lines)"
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert said[0] == said[1]
