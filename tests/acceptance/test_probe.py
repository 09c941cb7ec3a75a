"""`runscheduler --check`, what a probe calls: each state, and what it costs."""

import re
import signal
import socket
import subprocess
import time

import pytest

from tests.acceptance.promises import living, shares
from tests.acceptance.site import MANAGE, ROOT, eventually
from tests.acceptance.site import site as lend_site

pytestmark = pytest.mark.acceptance

HANG = "probe-hang"


@pytest.fixture
def site(tmp_path):
    with lend_site(tmp_path, "sqlite://") as lent:
        lent.change("probe-hundred", "enabled = False")  # the journal tells of what is asked for, and nothing else
        yield lent


def test_a_probe_tells_each_state_by_the_database_alone(site):
    assert checked(site) == (1, f"no instance of {socket.gethostname()} has ever been there")
    scheduler = site.scheduler()
    eventually(lambda: shares(site, 1, HANG, 1), 30, "it owns all items")
    code, line = checked(site, REGISTRY_URL="zookeeper://127.0.0.1:1/nobody")
    assert (code, line) == (0, f"instance {only(living(site))} is live")

    site.request(HANG, 1)
    eventually(site.notes, 30, "it runs")
    id = only(living(site))
    scheduler.signal(signal.SIGTERM)
    eventually(lambda: checked(site) == (0, f"instance {id} is draining"), 20, "it drains")
    scheduler.signal(signal.SIGTERM)
    assert scheduler.wait(20) == 3
    code, line = checked(site)
    assert code == 1
    assert re.fullmatch(rf"instance {id} has left at \S+", line)

    scheduler.start()
    eventually(lambda: checked(site)[0] == 0, 30, "the next one is live")
    scheduler.kill()
    eventually(lambda: checked(site)[1].startswith("the registry is degraded since 20"), 20, "the leader is gone")
    assert checked(site)[0] == 1
    code, line = checked(site, DATABASE_URL="mysql://nobody:none@127.0.0.1:1/nothing")
    assert code == 1
    assert line.startswith("the database gives no answer: (2002, ")


def test_a_probe_costs_little_beside_the_start_of_django(site):
    site.scheduler()
    eventually(lambda: shares(site, 1, HANG, 1), 30, "it owns all items")
    seconds = min(timed(lambda: checked(site)) for _ in range(5))
    start = min(timed(lambda: site.manage("shell", "--verbosity", "0", "--command", "pass")) for _ in range(5))
    print(f"a probe takes {seconds:.2f} s, the start of Django {start:.2f} s")
    assert seconds < start + 1


def checked(site, **variables):
    """Return the exit code and the one line of a probe."""
    command = [*MANAGE, "runscheduler", "--check"]
    done = subprocess.run(command, cwd=ROOT, env=site.env | variables, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    return done.returncode, line


def only(ids):
    (id,) = ids
    return id


def timed(act):
    began = time.monotonic()
    act()
    return time.monotonic() - began
