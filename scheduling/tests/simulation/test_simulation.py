"""A fixed set of histories, and that a history is nothing but its seed."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from scheduling.tests.simulation.world import play

HISTORIES = 70


def test_every_promise_holds_on_these_histories_which_meet_every_fault_and_what_follows_from_it():
    counts = sum((play(seed).counts for seed in range(HISTORIES)), start=Counter())
    assert counts["mended"] == HISTORIES
    happened = (
        *("crashed", "killed", "frozen", "frozen in a call", "slow call", "cut off", "lost request", "lost reply"),
        *("declared dead", "taken over", "put back", "refused", "already written", "no longer yours", "effect"),
        *(
            "elected",
            "drained",
            "edited",
            "retired",
            "requested",
            "waits",
            "cut off at timeout",
            "clock jumped",
            "clock leapt",
            "clock wrong",
        ),
        *("wiped", "without quorum", "killed under its supervisor", "rolling restart", "left behind what ran"),
    )
    assert not {kind for kind in happened if not counts[kind]}
    assert counts["claimed"] > 1000


@pytest.mark.acceptance
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
