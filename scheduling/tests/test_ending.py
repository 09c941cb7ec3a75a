"""A process ends although its log cannot be written, and although a handler has left a thread."""

import subprocess
import sys

import pytest

NOBODY_READS = """
import os
reading, writing = os.pipe()
os.set_blocking(writing, False)
try:
    while os.write(writing, b"x" * 4096):
        pass
except BlockingIOError:
    os.set_blocking(writing, True)
sys.stderr = open(writing, "w")
sys.stderr.write("a line that stays in the buffer")
"""
DISK_IS_FULL = """
sys.stderr = open("/dev/full", "w")
sys.stderr.write("a line that stays in the buffer")
"""
A_THREAD_STAYS = """
threading.Thread(target=time.sleep, args=(300,)).start()
"""


@pytest.mark.parametrize(
    ("trouble", "end"),
    [
        (NOBODY_READS, "end_at_once(3)"),
        (DISK_IS_FULL, "end_at_once(3)"),
        (A_THREAD_STAYS, "end_at_once(3)"),
        (A_THREAD_STAYS, "end_within(0.5, 3)"),
    ],
)
def test_it_ends_with_its_exit_code_whatever_its_threads_wait_for(trouble, end):
    code = f"import sys, threading, time\nfrom scheduling.management.ending import *\n{trouble}\n{end}"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 3
