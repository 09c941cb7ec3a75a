"""systemd's units: systemd finds nothing wrong with them."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from deploy.install import PYTHON, ROOT
from deploy.servers.tier import Replica
from tests.acceptance.site import site

pytestmark = pytest.mark.acceptance

SETTINGS = {"DJANGO_SETTINGS_MODULE": "config.settings"}
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_can_be_read(tmp_path, unit):
    placed = tmp_path / unit.name
    # The only program that has to be where the unit says.
    placed.write_text(unit.read_text().replace("/srv/scheduler/.venv/bin/python", str(PYTHON)))
    name = unit.name.replace("@.", "@8001.")
    done = subprocess.run(["systemd-analyze", "verify", str(tmp_path / name)], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_replica_tells_systemd_when_it_listens(tmp_path):
    folder = Path(tempfile.mkdtemp())  # the path of a socket has at most 107 bytes
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as systemd:
        systemd.bind(str(folder / "notify"))
        systemd.settimeout(20)
        with site(tmp_path) as lent, Replica("r1", {**lent.env, **SETTINGS, "NOTIFY_SOCKET": str(folder / "notify")}):
            assert "READY=1" in systemd.recv(4096).decode()
    shutil.rmtree(folder)


def test_there_is_one_for_the_schedulers_one_for_each_replica_and_one_for_zookeeper():
    assert [unit.name for unit in UNITS] == ["runscheduler.service", "web@.service", "zookeeper.service"]
