"""What `deploy/cluster` is made of: its programs, what it keeps, and processes in the background."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy import cluster_command, cluster_programs
from deploy.cluster_programs import NAMES, State, programs, state
from deploy.daemons import Daemon, began_at, stop_all, waited
from deploy.servers import zookeeper

KEPT = State(ports={"zookeeper": 2181, "mariadb": 3306, "web": 8000}, password="s3cret", secret_key="key")
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
    for module in (cluster_command, cluster_programs):
        monkeypatch.setattr(module, "FOLDER", found)
        monkeypatch.setattr(module, "LOCK", found.with_suffix(".lock"))
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
    assert known["web"].address == "http://127.0.0.1:8000/admin/"
    assert "--bind=127.0.0.1:8000" in known["web"].command()
    assert known["mariadb"].address == "127.0.0.1:3306"


def test_each_may_take_longer_to_end_than_it_needs():
    known = programs(KEPT)
    assert known["scheduler-1"].patience > 60  # it drains
    assert known["web"].patience > 30  # gunicorn's graceful timeout


def test_the_programs_of_the_project_get_the_servers_of_the_cluster():
    assert KEPT.env["DATABASE_URL"] == "mysql://scheduler:s3cret@127.0.0.1:3306/scheduler"
    assert KEPT.env["REGISTRY_URL"] == "zookeeper://127.0.0.1:2181/data-archive-job"
    assert KEPT.env["SECRET_KEY"] == "key"


def test_what_is_drawn_is_kept_and_only_this_user_can_read_it(folder):
    drawn = state()
    assert state() == drawn
    assert len(set(drawn.ports.values())) == 3
    assert (folder / "state.json").stat().st_mode & 0o777 == 0o600


def test_a_program_in_the_background_is_known_by_its_pid_and_its_beginning(daemon):
    assert daemon.pid is None
    pid = start(daemon)
    assert pid
    assert Daemon(name=daemon.name, folder=daemon.folder).pid == pid
    assert stop_all([daemon], 5) == []
    assert daemon.pid is None


@pytest.mark.parametrize("kept", ["", "abc", "12", f"{os.getpid()} 1", "999999999 1"])
def test_another_process_with_its_pid_is_not_it(daemon, kept):
    (daemon.folder / "sleeper.pid").write_text(kept)
    assert daemon.pid is None
    daemon.signal(signal.SIGKILL)  # which would end these tests
    daemon.kill()


def test_a_process_that_has_ended_but_was_not_waited_for_does_not_run():
    process = subprocess.Popen(["true"])
    assert is_gone(process.pid)
    process.wait()


def test_one_that_does_not_end_is_killed_with_what_it_started(daemon):
    start(daemon, STUBBORN)
    assert waited(lambda: daemon.last_words().strip(), 10)
    child = int(daemon.last_words())
    assert stop_all([daemon], 0.2) == [daemon]
    assert daemon.pid is None
    assert is_gone(child)


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
    assert "admin, password s3cret (shown only now);" in cluster_command.banner("s3cret")
    assert "admin, password as before;" in cluster_command.banner("")


def test_zookeeper_is_told_where_its_tree_is_and_logs_to_one_place_only(tmp_path, monkeypatch):
    monkeypatch.setattr(zookeeper, "java", lambda: "java")
    command = zookeeper.command(tmp_path, 2181, ["tickTime=1000"], ["-Xmx256m", zookeeper.TALKATIVE])
    levels = [option for option in command if "defaultLogLevel" in option]
    assert levels[-1] == zookeeper.TALKATIVE
    jars = [Path(jar).name for jar in command[command.index("-cp") + 1].split(":")]
    assert [jar for jar in jars if jar.startswith("slf4j")] == ["slf4j-simple.jar"]
    lines = (tmp_path / "zoo.cfg").read_text().splitlines()
    assert {f"dataDir={tmp_path / 'tree'}", "clientPort=2181", "tickTime=1000"} <= set(lines)
