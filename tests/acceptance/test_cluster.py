"""`deploy/cluster` in a copy of the repository: real servers in the background, restarted one by one, all ended."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.acceptance.clone import copy_repository
from tests.acceptance.site import ROOT, connect, eventually

pytestmark = pytest.mark.acceptance

NAMES = ["zookeeper", "mariadb", "scheduler-1", "scheduler-2", "scheduler-3", "web"]


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / f"a folder with spaces and a path longer than a socket's may be {'x' * 60}"
    folder.mkdir()
    copy_repository(folder)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    yield folder
    cluster(folder, "stop")
    assert not running(folder)


def cluster(clone, *arguments):
    return run(clone, "deploy/cluster", *arguments)


def reset(clone):
    return run(clone, "deploy/python", "-m", "deploy.reset")


def run(clone, *command):
    kept = ("HOME", "PATH", "CI", "PYTHON")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    return subprocess.run(command, cwd=clone, env=env, capture_output=True, text=True, timeout=300)


def pids(text):
    return {name: int(pid) for name, pid in re.findall(r"^(\S+) +pid (\d+)", text, re.MULTILINE)}


def running(clone):
    """Return the command lines of the processes that work in the clone."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(clone) in command or str(clone) in os.readlink(process / "cwd"):
                found.append(command)
    return found


def archived(clone):
    state = json.loads((clone / "var/cluster/state.json").read_text())
    url = f"mysql://scheduler:{state['password']}@127.0.0.1:{state['ports']['mariadb']}/scheduler"
    with contextlib.closing(connect(url)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT COUNT(*) FROM resume_bak")
        return cursor.fetchone()[0]


@pytest.mark.timeout(300)
def test_a_cluster_starts_goes_on_through_restarts_and_leaves_nothing_behind(clone):
    done = cluster(clone, "start")
    assert done.returncode == 0, done.stdout + done.stderr
    first = pids(done.stdout)
    assert list(first) == NAMES
    assert "password" in done.stdout
    (site,) = re.findall(r"^web .* (http\S+)$", done.stdout, re.MULTILINE)
    with urllib.request.urlopen(site, timeout=10) as page:
        assert "admin" in page.geturl()
    eventually(lambda: archived(clone) >= 2, 30, "resumes are archived")
    assert "archive-job" in cluster(clone, "manage", "jobs", "list").stdout
    assert "INFO org.apache.zookeeper" in (clone / "var/cluster/zookeeper.log").read_text()
    assert "The cluster runs: `deploy/cluster stop` ends it." in reset(clone).stderr

    for name in ("scheduler-2", "zookeeper", "mariadb", "web"):
        done = cluster(clone, "restart", name)
        assert done.returncode == 0, done.stdout + done.stderr
    again = cluster(clone, "start")
    assert again.returncode == 0
    assert "password as before" in again.stdout
    changed = {name for name, pid in pids(again.stdout).items() if first[name] != pid}
    assert changed == {"scheduler-2", "zookeeper", "mariadb", "web"}
    before = archived(clone)
    eventually(lambda: archived(clone) >= before + 2, 40, "resumes are archived again")

    assert cluster(clone, "status").returncode == 0
    assert cluster(clone, "stop").returncode == 0
    status = cluster(clone, "status")
    assert (status.returncode, status.stdout.count("does not run")) == (1, len(NAMES))
    assert not running(clone)
    assert reset(clone).returncode == 0
    assert not list((clone / "var").iterdir())


def test_nothing_is_forgotten_while_a_cluster_is_being_started(clone):
    kept = clone / "var" / "cluster" / "state.json"
    kept.parent.mkdir(parents=True)
    kept.touch()
    with (clone / "var" / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = reset(clone)
    assert kept.exists()
    shutil.rmtree(kept.parent)
    assert (done.returncode, "`deploy/cluster` runs already" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Usage: deploy/cluster start | stop | status | restart NAME"),
        (["restart"], 2, "Usage: "),
        (["restart", "redis"], 2, '"redis" is none of zookeeper, mariadb, scheduler-1'),
        (["restart", "web"], 1, "There is no cluster"),
        (["status"], 1, "There is no cluster: `make cluster` starts one."),
        (["stop"], 1, "There is no cluster"),
    ],
)
def test_what_is_wrong_is_said(clone, arguments, code, said):
    done = cluster(clone, *arguments)
    assert (done.returncode, said in done.stderr) == (code, True)
    assert not (clone / "var" / "cluster").exists()
