import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from deploy import lock
from deploy.packages import headers
from deploy.processes import Processes, ending, prefixed
from deploy.run import banner, checked_port, programs, refuse_busy


@pytest.mark.parametrize("text", ["", "0", "65536", "-1", "80a", "８０００", "8000.0"])
def test_a_port_that_is_none_is_named(text):
    with pytest.raises(SystemExit, match=f'PORT: "{text}" is outside 1-65535'):
        checked_port(text)


def test_a_busy_port_is_refused_with_the_command_for_the_next():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SystemExit, match=rf"Port {port} cannot be used .* PORT={port % 65535 + 1} make run"):
            refuse_busy(port)


def test_each_line_has_the_name_of_its_program_before_it():
    assert prefixed("web", b"hello\n") == b"web         | hello\n"
    assert prefixed("scheduler-1", "已归档".encode()) == "scheduler-1 | 已归档\n".encode()
    assert prefixed("web", b"\r\n") == b"web         | \n"


def test_the_end_of_a_process_is_said_in_words():
    assert ending(0) == "ended with exit code 0"
    assert ending(3) == "ended with exit code 3"
    assert ending(-9) == "was ended by SIGKILL"


def test_the_web_server_and_two_schedulers_run():
    commands = programs(8001)
    assert list(commands) == ["web", "scheduler-1", "scheduler-2"]
    assert "--bind=127.0.0.1:8001" in commands["web"]


def test_a_password_is_shown_only_when_it_is_new():
    pids = {"web": 10, "scheduler-1": 11}
    assert "admin, password s3cret (shown only now)" in banner("http://127.0.0.1:8000/", pids, "s3cret")
    assert "admin, password as before" in banner("http://127.0.0.1:8000/", pids, "")


def test_a_second_holder_is_told_who_holds_the_lock(tmp_path):
    path = tmp_path / "run.lock"
    with lock.held(path) as holder:
        lock.write_holder(holder, "http://127.0.0.1:8000/", [])
        words = f"runs already: pid {os.getpid()}, http://127.0.0.1:8000/"
        with pytest.raises(SystemExit, match=re.escape(words)), lock.held(path):
            pass
    with lock.held(path):
        pass


def test_processes_that_outlive_make_run_keep_the_lock_and_are_named(tmp_path):
    path = tmp_path / "run.lock"
    with lock.held(path) as holder:
        orphan = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[holder.fileno()])
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        holder.truncate(0)
        json.dump({"pid": gone.pid, "address": "http://127.0.0.1:8000/", "pids": [gone.pid, orphan.pid]}, holder)
    with pytest.raises(SystemExit, match=rf"\(pid {gone.pid}\) is gone, .* kill {orphan.pid}$"), lock.held(path):
        pass
    orphan.communicate()
    with lock.held(path):
        pass


@pytest.fixture
def processes(tmp_path):
    """Yield processes that hold `tmp_path / "run.lock"`."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with lock.held(tmp_path / "run.lock") as holder, Processes(tmp_path, keep_open=holder) as processes:
        yield processes
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_process_that_dies_is_said_with_the_command_that_starts_it_again(processes, capfd):
    command = [sys.executable, "-c", "import os; print('last words', flush=True); os.kill(os.getpid(), 9)"]
    pid = processes.start("web", command)
    assert processes.supervise() is False
    last_words, end = capfd.readouterr().out.splitlines()
    assert last_words == "web         | last words"
    assert end.startswith(f"web         | pid {pid} was ended by SIGKILL. Start it again with: {sys.executable} -c ")


def test_ctrl_c_ends_them_all_and_only_then_the_supervisor(processes, capfd):
    ctrl_c = f"import os, signal; os.kill({os.getpid()}, signal.SIGINT); signal.pause()"
    pids = [processes.start("web", [sys.executable, "-c", "import signal; signal.pause()"])]
    pids.append(processes.start("scheduler-1", [sys.executable, "-c", ctrl_c]))
    assert processes.supervise() is True
    ends = sorted(capfd.readouterr().out.splitlines())
    assert ends == [
        f"scheduler-1 | pid {pids[1]} was ended by SIGTERM",
        f"web         | pid {pids[0]} was ended by SIGTERM",
    ]


@pytest.mark.timeout(10)
def test_what_a_dead_process_leaves_in_its_session_ends_with_it(processes, tmp_path):
    processes.start("web", ["sh", "-c", "sleep 1000 & sleep 1000 &"])
    processes.supervise()
    processes.keep_open.close()
    with (tmp_path / "run.lock").open() as nobody_holds_it_any_more:
        fcntl.flock(nobody_holds_it_any_more, fcntl.LOCK_EX)


def test_headers_are_asked_for_only_where_debian_s_python_lacks_them(tmp_path):
    version = f"python{sys.version_info.major}.{sys.version_info.minor}-dev"
    assert headers("/usr", tmp_path) == [version]
    assert headers("/opt/python", tmp_path) == []
    (tmp_path / "Python.h").touch()
    assert headers("/usr", tmp_path) == []
