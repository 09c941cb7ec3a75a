"""Real schedulers while a disk is full: the database's, ZooKeeper's, and the one that their logs are written to."""

import contextlib
import signal
import subprocess
import time

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

from deploy.packages import elevation
from deploy.servers.mariadb import QUICK, MariaDB
from deploy.servers.zookeeper import ZooKeeper
from tests.acceptance.outage import Schedulers
from tests.acceptance.promises import shares
from tests.acceptance.site import eventually
from tests.acceptance.site import site as lend_site

pytestmark = [pytest.mark.acceptance, pytest.mark.outage, pytest.mark.timeout(200)]

MEGABYTE = 1 << 20
SMALL = [*QUICK, "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=2"]


class Disk:
    """A small disk of its own that is mounted on a folder, and can be filled."""

    def __init__(self, folder, megabytes):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        options = f"size={megabytes}m,mode=1777"
        subprocess.run([*as_root(), "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)

    def fill(self):
        with contextlib.suppress(OSError), (self.folder / "ballast").open("ab", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096))

    def free(self):
        (self.folder / "ballast").unlink()

    def remove(self):
        subprocess.run([*as_root(), "umount", "--lazy", str(self.folder)], check=True)


def as_root():
    become = elevation()
    assert become is not None, "only root, or who may use sudo without a password, can mount a disk"
    return become


@pytest.fixture
def disk(tmp_path):
    lent = Disk(tmp_path / "disk", 16)
    try:
        yield lent
    finally:
        lent.remove()


class OnSmallDisk:
    """Gives a server a disk of its own, for all of its folder or a part of it."""

    part = ""

    def command(self):
        if not hasattr(self, "disk"):
            self.disk = Disk(self.folder / self.part, self.megabytes)
        return super().command()

    def _remove(self):
        self.disk.remove()
        super()._remove()


class MariaDBOnSmallDisk(OnSmallDisk, MariaDB):
    megabytes = 300


class ZooKeeperOnSmallDisk(OnSmallDisk, ZooKeeper):
    part, megabytes = "tree", 90


def test_the_disk_of_a_mariadb_is_full_until_somebody_makes_room_and_starts_it_again(tmp_path):
    with (
        MariaDBOnSmallDisk(SMALL) as server,
        ZooKeeper() as zookeeper,
        lend_site(tmp_path, server.url, zookeeper.url()) as site,
    ):
        schedulers = Schedulers(site)

        def fill():
            server.disk.fill()
            eventually(lambda: "nothing starts until the ledger answers" in site.log_text(), 60, "it is said")

        def mend():
            server.disk.free()
            if not server.is_running():  # it ends itself when it cannot write its redo log
                server.start()

        schedulers.strike(fill, 2, mend)


def test_the_disk_of_an_sqlite_file_is_full_for_a_while(tmp_path, disk):
    (tmp_path / "db.sqlite3").symlink_to(disk.folder / "db.sqlite3")
    with lend_site(tmp_path) as site:
        schedulers = Schedulers(site)

        def fill():
            disk.fill()
            eventually(lambda: "is full" in site.log_text(), 40, "it is said")

        schedulers.strike(fill, 2, disk.free)


def test_the_disk_of_a_zookeeper_is_full_until_somebody_makes_room_and_starts_it_again(tmp_path):
    with (
        MariaDB() as database,
        ZooKeeperOnSmallDisk() as server,
        lend_site(tmp_path, database.url, f"{server.url()}?session_timeout=4") as site,
    ):
        schedulers = Schedulers(site)

        def fill():
            server.disk.fill()
            write_until_it_ends(server)

        def mend():
            server.disk.free()
            server.start()

        schedulers.strike(fill, 2, mend)


def write_until_it_ends(server):
    """Write to a ZooKeeper until the page of its log that it has begun is full too."""
    client = KazooClient(server.hosts)
    client.start(timeout=20)
    try:
        with contextlib.suppress(KazooException, OSError):
            for _try in range(1000):
                client.create("/ballast-", bytes(100_000), sequence=True)
    finally:
        client.stop()
        client.close()
    eventually(lambda: not server.is_running(), 20, "it has ended itself")


def test_a_full_disk_of_the_logs_stops_nobody(tmp_path):
    with lend_site(tmp_path) as site:
        with logging_to_nowhere(site):
            schedulers = Schedulers(site)
        schedulers.check_goes_on()
        schedulers.check_order()
        drained, left = schedulers.running
        drained.signal(signal.SIGTERM)
        assert drained.wait(30) == 0
        eventually(lambda: shares(site, 1), 20, "the other owns all items")
        site.request("probe-hang", 1)
        eventually(lambda: site.executions("probe-hang")[0][1] == "running", 20, "the handler hangs")
        left.signal(signal.SIGTERM)
        time.sleep(2)
        assert left.process.poll() is None
        left.signal(signal.SIGTERM)
        assert left.wait(30) == 3


@contextlib.contextmanager
def logging_to_nowhere(site):
    """Have what is started now write its log to a disk that is full."""
    site.log, log = type(site.log)("/dev/full"), site.log
    try:
        yield
    finally:
        site.log = log
