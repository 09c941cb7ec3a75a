"""A short run of the rig, as `make chaos` plays it for ten minutes."""

import json
import subprocess
import sys

import pytest

from tests.acceptance.site import ROOT

pytestmark = pytest.mark.acceptance

SECONDS = 60


@pytest.mark.timeout(600)
def test_a_minute_of_faults_breaks_no_promise(tmp_path):
    command = [sys.executable, "-m", "chaos", "--seconds", str(SECONDS), "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    assert done.stdout.splitlines()[-1].startswith("PASSED: ")
    assert json.loads((tmp_path / "chaos.json").read_text())["violations"] == []
    assert (tmp_path / "chaos.svg").read_text().startswith("<svg")
    assert "no violations" in (tmp_path / "chaos.md").read_text()
