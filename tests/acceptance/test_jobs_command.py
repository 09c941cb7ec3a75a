"""`manage.py jobs` as a process: what it does where its reader goes away, and while others keep the database locked."""

import contextlib
import os
import subprocess

import pytest

from tests.acceptance.site import MANAGE, ROOT, connect, site

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site"), "sqlite://") as lent:
        yield lent


@pytest.mark.parametrize("unbuffered", ["1", ""])
@pytest.mark.parametrize("command", [["list"], ["sync"], ["next", "probe-hundred"]])
def test_a_pipe_that_its_reader_has_closed_ends_it_quietly(lent, command, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    env = lent.env | {"PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        [*MANAGE, "jobs", *command], cwd=ROOT, env=env, stdout=writer, stderr=subprocess.PIPE, timeout=120
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    "command", [["disable", "probe-hundred"], ["enable", "probe-hundred"], ["run", "probe-hundred"], ["sync"]]
)
def test_while_somebody_keeps_the_database_locked_it_says_that_it_waits(lent, command):
    with contextlib.closing(connect(lent.env["DATABASE_URL"])) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = subprocess.Popen(
            [*MANAGE, "jobs", *command],
            cwd=ROOT,
            env=lent.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with waiting:
            assert waiting.stderr is not None
            assert waiting.stderr.readline().startswith("waiting for the database: somebody else keeps it locked")
            other.rollback()
            assert waiting.wait(60) == 0
