"""`deploy/cluster` in a copy of the repository: real servers in the background, restarted one by one, all ended."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.clone import copy_repository
from tests.acceptance.site import ROOT, connect, eventually
from tests.acceptance.stream import Stream, ask

pytestmark = pytest.mark.acceptance

SERVERS = ["zookeeper", "mariadb", "redis"]
REPLICAS = ["web-1", "web-2", "web-3"]
NAMES = [*SERVERS, "scheduler-1", "scheduler-2", "scheduler-3", *REPLICAS, "nginx"]

RESTARTED = ["scheduler-2", "zookeeper", "mariadb", "redis", "web-1", "nginx"]


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
    check_pages(clone, done.stdout)
    eventually(lambda: archived(clone) >= 2, 30, "resumes are archived")
    assert "archive-job" in cluster(clone, "manage", "jobs", "list").stdout
    assert "INFO org.apache.zookeeper" in (clone / "var/cluster/zookeeper.log").read_text()
    assert "The cluster runs: `deploy/cluster stop` ends it." in reset(clone).stderr

    for name in RESTARTED:
        done = cluster(clone, "restart", name)
        assert done.returncode == 0, done.stdout + done.stderr
    again = cluster(clone, "start")
    assert again.returncode == 0
    assert "password as before" in again.stdout
    changed = {name for name, pid in pids(again.stdout).items() if first[name] != pid}
    assert changed == set(RESTARTED)
    before = archived(clone)
    eventually(lambda: archived(clone) >= before + 2, 40, "resumes are archived again")

    assert cluster(clone, "status").returncode == 0
    assert cluster(clone, "stop").returncode == 0
    status = cluster(clone, "status")
    assert (status.returncode, status.stdout.count("does not run")) == (1, len(NAMES))
    assert not running(clone)
    assert reset(clone).returncode == 0
    assert not list((clone / "var").iterdir())


@pytest.mark.timeout(300)
def test_nobody_notices_that_replicas_are_killed_and_restarted(clone):
    done = cluster(clone, "start")
    assert done.returncode == 0, done.stdout + done.stderr
    first, site = pids(done.stdout), site_of(done.stdout)
    with Stream(site, ["GET /healthz"], 20) as stream:
        os.kill(first["web-2"], signal.SIGKILL)
        refused = cluster(clone, "rolling-restart")
        assert (refused.returncode, "web-2 cannot serve, so web-1" in refused.stderr) == (1, True)
        assert cluster(clone, "restart", "web-2").returncode == 0
    assert set(stream.answers) == {("GET /healthz", 200)}
    before = pids(cluster(clone, "status").stdout)
    assert {name for name in NAMES if before[name] != first[name]} == {"web-2"}

    with Stream(site, ["GET /healthz", "GET /login/"], 20) as stream:
        done = run(clone, "make", "rolling-restart")
    assert done.stdout.splitlines() == [f"{name} restarted" for name in REPLICAS], done.stderr
    assert {code for _kind, code in stream.answers} == {200}
    after = pids(cluster(clone, "status").stdout)
    assert {name for name in NAMES if after[name] != before[name]} == set(REPLICAS)

    interrupted = kept_servers(clone).replace("; # web-3", " down; # web-3")
    (clone / "var/cluster/nginx/servers.conf").write_text(interrupted)
    os.kill(after["web-3"], signal.SIGTERM)
    eventually(lambda: "web-3" not in pids(cluster(clone, "status").stdout), 40, "the replica has ended")
    assert cluster(clone, "rolling-restart").stdout.splitlines()[0] == "web-3 restarted"
    assert "down" not in kept_servers(clone)

    os.kill(first["nginx"], signal.SIGKILL)  # its processes go on without it
    assert cluster(clone, "restart", "nginx").returncode == 0
    assert ask(f"{site}/healthz")[0] == 200


def kept_servers(clone):
    return (clone / "var/cluster/nginx/servers.conf").read_text()


def site_of(text):
    """Return the address of nginx."""
    return re.findall(r"^nginx .* (http\S+)/$", text, re.MULTILINE)[0]


def check_pages(clone, text):
    """Ask nginx for pages of each replica, and for a file, which no replica is asked for."""
    site = site_of(text)
    answers = [ask(f"{site}/admin/login/") for _ in range(6)]
    assert {code for code, _page, _headers in answers} == {200}
    assert {headers["X-Replica"] for _code, _page, headers in answers} == set(REPLICAS)
    code, _text, headers = ask(f"{site}/static/admin/css/base.css")
    assert (code, "X-Replica" in headers) == (200, False)


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
        ([], 2, "Usage: deploy/cluster start | stop | status | restart NAME | rolling-restart"),
        (["restart"], 2, "Usage: "),
        (["restart", "web"], 2, '"web" is none of zookeeper, mariadb, redis, scheduler-1'),
        (["restart", "web-1"], 1, "There is no cluster"),
        (["rolling-restart"], 1, "There is no cluster"),
        (["status"], 1, "There is no cluster: `make cluster` starts one."),
        (["stop"], 1, "There is no cluster"),
    ],
)
def test_what_is_wrong_is_said(clone, arguments, code, said):
    done = cluster(clone, *arguments)
    assert (done.returncode, said in done.stderr) == (code, True)
    assert not (clone / "var" / "cluster").exists()
