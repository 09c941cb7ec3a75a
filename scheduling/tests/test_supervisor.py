"""What a supervisor decides, and what it is told; that it does so is shown by `tests/acceptance/test_supervisor.py`."""

import os
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from scheduling.management.lifeline import Lifeline, SupervisorsEnd
from scheduling.management.supervisor import ending, exit_code, is_over, next_pause


@pytest.mark.parametrize(
    ("code", "asked", "registered", "before", "over"),
    [
        (0, False, True, False, False),  # a handler has ended it
        (1, False, False, False, True),  # it could not start
        (2, False, False, False, True),
        (1, False, False, True, False),  # though one before it could
        (2, False, False, True, True),  # the code on disk is another one by now
        (1, False, True, False, False),  # it had started: Python's code for an exception
        (3, False, True, False, False),
        (-9, False, True, False, False),
        (-9, False, False, False, False),
        (-9, True, True, True, True),
        (3, True, True, False, True),
    ],
)
def test_only_what_died_unasked_is_started_again(code, asked, registered, before, over):
    assert is_over(code, asked=asked, registered=registered, before=before, drained=False) is over


def test_what_has_said_that_it_is_drained_is_not_started_again():
    assert is_over(0, asked=False, registered=True, before=False, drained=True)
    assert exit_code(0, asked=True, registered=True, drained=True) == 0


def test_what_ended_well_without_a_word_has_left_something_behind():
    assert exit_code(0, asked=True, registered=True, drained=False) == 3
    assert exit_code(0, asked=True, registered=False, drained=False) == 0


def test_pauses_grow_to_half_a_minute_and_begin_anew_after_one_that_ran_for_a_minute():
    pauses, pause = [], None
    for ran in (0, 1, 59, 1, 1, 1, 1, 60, 1):
        pause = next_pause(pause, ran)
        pauses.append(pause)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 1, 2]


@pytest.mark.parametrize(
    ("code", "exits_with", "words"),
    [
        (1, 1, "ended with exit code 1"),
        (3, 3, "ended with exit code 3"),
        (-9, 137, "was ended by SIGKILL"),
        (-15, 143, "was ended by SIGTERM"),
        (-63, 191, "was ended by signal 63"),
    ],
)
def test_how_a_process_ended_is_said_and_passed_on(code, exits_with, words):
    assert exit_code(code, asked=True, registered=True, drained=False) == exits_with
    assert ending(code) == words


def test_one_that_was_stopped_before_it_had_begun_has_left_nothing_behind():
    assert exit_code(-15, asked=True, registered=False, drained=False) == 0


@pytest.fixture
def line():
    """Lend both ends of one line."""
    end = SupervisorsEnd()
    worker = Lifeline(end.other.detach())
    end.listen()
    yield end, worker
    end.close(0)


def test_who_registered_last_is_known_when_the_other_end_is_closed(line):
    end, worker = line
    for number in range(1000):
        worker.tell(f"host-{number}", f"key-{number}")
    worker._line.close()
    end.close(20)
    assert (end.registered.instance, end.registered.session_key) == ("host-999", "key-999")


def test_a_key_is_not_shown_by_accident(line):
    end, worker = line
    worker.tell("host-1", "top-secret")
    worker._line.close()
    end.close(20)
    assert "host-1" in repr(end.registered)
    assert "top-secret" not in repr(end.registered)


def test_a_line_that_broke_off_tells_nothing(line):
    end, worker = line
    worker._line.sendall(b'["host-1", "key-1"]\n["host-2", "ke')
    worker._line.close()
    end.close(20)
    assert end.registered.instance == "host-1"


def test_that_its_loop_hangs_is_the_last_word_of_one_that_was_registered(line):
    end, worker = line
    worker.tell("host-1", "key-1")
    worker.tell_hangs()
    end.hear_out(20)
    assert (end.hung, end.drained, end.registered.instance) == (True, False, "host-1")


def test_the_last_word_is_heard_though_something_forked_holds_the_line(line):
    end, worker = line
    worker.tell("host-1", "key-1")
    assert not end.drained
    worker.tell_drained()
    end.hear_out(20)
    assert end.drained
    assert end.registered.instance == "host-1"


def test_a_working_process_whose_supervisor_is_gone_can_still_register(line):
    end, worker = line
    end.close(0)
    worker.tell("host-1", "key-1")
    worker._line.close()


def test_the_option_of_working_processes_is_nobody_elses():
    with pytest.raises(CommandError, match="--supervised is for runscheduler itself") as caught:
        call_command("runscheduler", "--supervised=9999")
    assert caught.value.returncode == 2


SUPERVISED = """
import os, signal, sys
import django
django.setup()
from scheduling.management.supervisor import Supervisor
if "ignored" in sys.argv:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print(Supervisor([sys.executable, "-c", sys.argv[1]]).run())
"""
DRAINS = "import sys; from scheduling.management.lifeline import Lifeline; Lifeline(int(sys.argv[-1])).tell_drained()"
QUITS_ONCE = """
import os, sys
if os.path.exists("quit"):
    raise SystemExit(2)
open("quit", "w").close()
os._exit(0)
"""


@pytest.mark.acceptance
@pytest.mark.parametrize(
    ("working", "words", "code"),
    [
        (DRAINS, [], "0"),
        (QUITS_ONCE, [], "2"),
        ("raise SystemExit(2)", ["ignored"], "2"),
    ],
    ids=["drains", "quits without a word", "SIGCHLD ignored"],
)
def test_a_supervisor_goes_by_what_its_working_process_has_said(working, words, code, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SUPERVISED, working, *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    )
    assert done.stdout == f"{code}\n", done.stderr


DESCENDANTS = """
import os, subprocess, sys, time
from scheduling.management.descendants import adopt_orphans, children, end_all
adopt_orphans()
spared = subprocess.Popen(["sleep", "60"])
script = 'sleep 60 & setsid sleep 60 & (setsid sleep 60 &) ; echo started; wait'
worker = subprocess.Popen(["sh", "-c", script], process_group=0, stdout=subprocess.PIPE)
worker.stdout.readline()
time.sleep(0.5)
worker.kill(); worker.wait()
print(len(children()), end_all(worker.pid, {spared.pid}, 20), children() == {spared.pid})
spared.kill(); spared.wait()
"""


@pytest.mark.acceptance
def test_all_that_a_working_process_has_started_ends_and_nothing_else():
    done = subprocess.run([sys.executable, "-c", DESCENDANTS], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("4 True True\n", "")
