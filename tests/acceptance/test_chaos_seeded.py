"""Bugs that the rig has to find: with each of them a run of it fails, and says what is wrong."""

import os
import subprocess
import sys

import pytest

from tests.acceptance.site import ROOT

pytestmark = [pytest.mark.acceptance, pytest.mark.seeded, pytest.mark.timeout(1500)]

SECONDS = 60
TRIES = 5
"""Runs, each with faults of its own: it takes the right fault at the right moment."""

FOUND = {
    "WithoutFence": "not fenced: ",
    "WithoutMarker": "once: ",
    "WithoutRow": "lost fire time: ",
    "NeverOpened": "missed without cause: ",
    "RetriedInPlace": "retried where it failed: ",
}


@pytest.mark.parametrize("bug", FOUND)
def test_the_rig_finds_it(bug, tmp_path):
    env = os.environ | {"SEEDED_BUG": bug}
    command = [sys.executable, "-m", "chaos", "--seconds", str(SECONDS), "--settings", "tests.chaos.seeded.settings"]
    for seed in range(1, TRIES + 1):
        done = subprocess.run([*command, "--seed", str(seed)], cwd=ROOT, env=env | {"TMPDIR": str(tmp_path)},
                              capture_output=True, text=True, timeout=400)  # fmt: skip
        if FOUND[bug] in done.stdout:
            break
    assert FOUND[bug] in done.stdout
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("FAILED: ")
