"""Which of the processes that a process has started is the one that works."""

import subprocess
import sys

from deploy.family import children, working_processes

WAITS = "import sys; sys.stdin.read()"
PARENT = f"""
import subprocess, sys
started = [subprocess.Popen([sys.executable, "-c", {WAITS!r}, *more]) for more in ([], ["--supervised", "3"])]
print(*(each.pid for each in started), flush=True)
for each in started:
    each.wait()
"""


def test_what_a_supervisor_runs_beside_its_working_process_is_not_taken_for_it():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        other, working = map(int, parent.stdout.readline().split())
        assert children(parent.pid) == {other, working}
        assert working_processes(parent.pid) == {working}
        parent.communicate("")
    assert not children(parent.pid)
