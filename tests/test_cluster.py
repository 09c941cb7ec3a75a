"""What `deploy/cluster` is made of: its programs, what it keeps, and processes in the background."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy import cluster_command, cluster_programs, cluster_web
from deploy.cluster_programs import NAMES, REPLICAS, WITH_PORTS, State, programs, state
from deploy.daemons import Daemon, began_at, stop_all, waited
from deploy.servers import nginx, zookeeper

PORTS = {"zookeeper": 2181, "mariadb": 3306, "redis": 6379, "web-1": 8001, "web-2": 8002, "web-3": 8003, "nginx": 8000}
KEPT = State(ports=PORTS, password="s3cret", secret_key="key")
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def daemon(tmp_path):
    lent = Daemon(name="sleeper", folder=tmp_path)
    yield lent
    lent.kill()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Lend the cluster's folder, in a `var` of its own."""
    found = tmp_path / "var" / "cluster"
    for module in (cluster_command, cluster_programs, cluster_web):
        monkeypatch.setattr(module, "FOLDER", found)
        monkeypatch.setattr(module, "LOCK", found.with_suffix(".lock"), raising=False)
    found.parent.mkdir()
    return found


def start(daemon, code="import time; time.sleep(60)"):
    daemon.start([sys.executable, "-c", code], daemon.folder, {})
    return daemon.pid


def is_gone(pid):
    return waited(lambda: not began_at(pid), 5)


def test_the_programs_start_in_the_order_of_their_names():
    known = programs(KEPT)
    assert tuple(known) == NAMES
    assert known["nginx"].address == "http://127.0.0.1:8000/"
    assert known["web-2"].env == {"REPLICA": "web-2", "BIND": "127.0.0.1:8002"}
    assert known["mariadb"].address == "127.0.0.1:3306"


def test_each_may_take_longer_to_end_than_it_needs():
    known = programs(KEPT)
    assert known["scheduler-1"].patience > 60  # it drains
    assert known["web-1"].patience > 30  # gunicorn's graceful timeout


def test_the_programs_of_the_project_get_the_servers_of_the_cluster():
    assert KEPT.env["DATABASE_URL"] == "mysql://scheduler:s3cret@127.0.0.1:3306/scheduler"
    assert KEPT.env["REGISTRY_URL"] == "zookeeper://127.0.0.1:2181/data-archive-job"
    assert KEPT.env["REDIS_URL"] == "redis://127.0.0.1:6379/0"
    assert KEPT.env["SECRET_KEY"] == "key"


def test_what_is_drawn_is_kept_and_only_this_user_can_read_it(folder):
    drawn = state()
    assert state() == drawn
    assert set(drawn.ports) == set(WITH_PORTS)
    assert len(set(drawn.ports.values())) == len(WITH_PORTS)
    assert (folder / "state.json").stat().st_mode & 0o777 == 0o600


def test_a_cluster_of_before_keeps_what_it_has_and_gets_what_it_lacks(folder):
    folder.mkdir()
    before = {"ports": {"zookeeper": 2181, "mariadb": 3306, "web": 8000}, "password": "s3cret", "secret_key": "key"}
    (folder / "state.json").write_text(json.dumps(before))
    drawn = state()
    assert (drawn.password, drawn.secret_key) == ("s3cret", "key")
    assert before["ports"].items() <= drawn.ports.items()
    assert set(WITH_PORTS) <= set(drawn.ports)
    assert state() == drawn
    assert (folder / "state.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.acceptance
def test_what_a_cluster_of_before_left_running_is_ended(folder):
    state()
    former = Daemon(name="web", folder=folder)
    pid = start(former)
    assert cluster_command.main(["stop"]) == 0
    assert is_gone(pid)


@pytest.mark.acceptance
def test_nginx_is_written_with_the_replicas_and_the_static_files(folder):
    state()
    command = programs(KEPT)["nginx"].command()
    assert command[-2:] == ["-g", "daemon off;"]
    servers = (folder / "nginx" / "servers.conf").read_text()
    assert [f"127.0.0.1:{PORTS[name]} " in servers for name in REPLICAS] == [True] * 3
    assert f'alias "{cluster_programs.ROOT}/var/static/";' in (folder / "nginx" / "locations.conf").read_text()


@pytest.mark.acceptance
def test_a_replica_that_was_taken_out_stays_out_until_it_serves(folder):
    state()
    programs(KEPT)["nginx"].command()
    cluster_web.balancer(KEPT).take_out({"web-2"})
    programs(KEPT)["nginx"].command()
    cluster_web.put_back(KEPT)
    assert nginx.taken_out(folder / "nginx") == ["web-2"]


def test_without_nginx_no_replica_is_restarted(folder, capsys):
    state()
    assert cluster_command.main(["rolling-restart"]) == 1
    assert "nginx does not run: `deploy/cluster start` starts everything." in capsys.readouterr().err


@pytest.mark.acceptance
def test_a_program_in_the_background_is_known_by_its_pid_and_its_beginning(daemon):
    assert daemon.pid is None
    pid = start(daemon)
    assert pid
    assert Daemon(name=daemon.name, folder=daemon.folder).pid == pid
    assert stop_all([daemon], 5) == []
    assert daemon.pid is None


@pytest.mark.parametrize("kept", ["", "abc", "12", "{mine} 1", "999999999 1"])
def test_another_process_with_its_pid_is_not_it(daemon, kept):
    (daemon.folder / "sleeper.pid").write_text(kept.format(mine=os.getpid()))
    assert daemon.pid is None
    daemon.signal(signal.SIGKILL)  # which would end these tests
    daemon.kill()


@pytest.mark.acceptance
def test_a_process_that_has_ended_but_was_not_waited_for_does_not_run():
    process = subprocess.Popen(["true"])
    assert is_gone(process.pid)
    process.wait()


@pytest.mark.acceptance
def test_one_that_does_not_end_is_killed_with_what_it_started(daemon):
    start(daemon, STUBBORN)
    assert waited(lambda: daemon.last_words().strip(), 10)
    child = int(daemon.last_words())
    assert stop_all([daemon], 0.2) == [daemon]
    assert daemon.pid is None
    assert is_gone(child)


@pytest.mark.acceptance
def test_what_one_that_was_killed_has_left_behind_is_ended(daemon):
    pid = start(daemon, STUBBORN)
    assert waited(lambda: daemon.last_words().strip(), 10)
    child = int(daemon.last_words())
    os.kill(pid, signal.SIGKILL)
    assert waited(lambda: daemon.pid is None, 5)
    assert began_at(child)
    assert stop_all([daemon], 5) == []
    assert is_gone(child)


@pytest.mark.acceptance
def test_waiting_for_one_that_ends_ends(daemon):
    start(daemon, "print('no port')")
    began = time.monotonic()
    assert not daemon.await_up(lambda: False, 30)
    assert time.monotonic() - began < 10
    assert daemon.last_words() == "no port\n"


def test_the_log_of_the_start_before_is_kept(daemon):
    daemon.keep_log()
    daemon.log.write_text("the first")
    daemon.keep_log()
    assert daemon.last_words() == ""
    assert (daemon.folder / "sleeper.log.1").read_text() == "the first"


def test_status_says_what_does_not_run(folder, capsys):
    state()
    assert cluster_command.main(["status"]) == 1
    assert capsys.readouterr().out.count("does not run") == len(NAMES)


@pytest.mark.parametrize("server", ["zookeeper", "mariadb"])
def test_a_program_is_not_restarted_without_the_servers(folder, capsys, server):
    state()
    assert cluster_command.main(["restart", server]) == 1
    assert "does not run: `deploy/cluster start` starts everything." in capsys.readouterr().err


def test_help_says_all_commands(capsys):
    assert cluster_command.main(["--help"]) == 0
    assert "manage COMMAND" in capsys.readouterr().out


def test_a_password_is_shown_only_when_it_is_new():
    assert "admin, password s3cret (shown only now);" in cluster_command.banner("s3cret", "http://127.0.0.1:8000/")
    assert "admin, password as before;" in cluster_command.banner("", "http://127.0.0.1:8000/")


def test_zookeeper_is_told_where_its_tree_is_and_logs_to_one_place_only(tmp_path, monkeypatch):
    monkeypatch.setattr(zookeeper, "java", lambda: "java")
    command = zookeeper.command(tmp_path, 2181, ["tickTime=1000"], ["-Xmx256m", zookeeper.TALKATIVE])
    levels = [option for option in command if "defaultLogLevel" in option]
    assert levels[-1] == zookeeper.TALKATIVE
    jars = [Path(jar).name for jar in command[command.index("-cp") + 1].split(":")]
    assert [jar for jar in jars if jar.startswith("slf4j")] == ["slf4j-simple.jar"]
    lines = (tmp_path / "zoo.cfg").read_text().splitlines()
    assert {f"dataDir={tmp_path / 'tree'}", "clientPort=2181", "tickTime=1000"} <= set(lines)
