"""Five instances that can be frozen, each with a proxy of its own before the database."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.columns import scratch
from benchmarks.failover.commits import Commits
from benchmarks.site import Site, eventually
from benchmarks.site import site as lend_site
from benchmarks.traffic import connect
from deploy.servers.mariadb import MariaDB
from deploy.servers.zookeeper import ZooKeeper

JOB = "freeze"
ITEMS = 5
SESSION = 3.0
"""So short, and not shorter: within its lease of 1.8 s a busy machine of two cores keeps five instances alive."""

TIMEOUT = 60.0
TABLE = "CREATE TABLE bench_effect (id INT AUTO_INCREMENT PRIMARY KEY, execution BIGINT, attempt INT, part INT)"
LIVING = "SELECT id FROM scheduling_instance WHERE joined_at IS NOT NULL AND died_at IS NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line of the handler: where an attempt is, or how it has ended."""

    event: str
    time: float
    pid: int
    outcome: str
    item: int
    execution: int
    attempt: int
    token: int


@dataclass(slots=True, kw_only=True)
class Host:
    """One instance with its supervisor, and its way to the database."""

    site: Site
    process: subprocess.Popen[bytes]
    commits: Commits

    @property
    def pid(self) -> int:
        """Return the pid of its working process."""
        return self.site.working_pid(self.process)

    def freeze(self) -> None:
        """Let it stand still, as a whole."""
        for pid in (self.pid, self.process.pid):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in (self.process.pid, self.pid):
            os.kill(pid, signal.SIGCONT)


@dataclass(slots=True, kw_only=True)
class Cluster:
    """The site, its instances, and what they leave behind."""

    site: Site
    folder: Path
    hosts: list[Host]

    def tell(self, points: Mapping[int, str]) -> None:
        """Say where first attempts of which items are to stop."""
        (self.folder / "go").unlink(missing_ok=True)
        (self.folder / "points").write_text(json.dumps(points))

    def release(self) -> None:
        """Let everything that has stopped go on."""
        (self.folder / "go").touch()

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(connect(self.site.env["DATABASE_URL"])) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())

    def is_even(self) -> bool:
        """Has each instance, and nobody else, one item?"""
        shown = self.rows("SELECT document FROM scheduling_snapshot")
        owners = json.loads(shown[0][0])["assignments"].get(JOB, {}) if shown else {}
        living = {id for (id,) in self.rows(LIVING)}
        return len(owners) == ITEMS and set(owners) == living

    def notes(self, after: int) -> list[Note]:
        """Return what handlers have noted, after so many notes."""
        journal = self.site.journal
        lines = journal.read_text().splitlines() if journal.exists() else []
        return [Note(**json.loads(line)) for line in lines[after:]]


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Lend five instances on a MariaDB and a ZooKeeper of their own."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch())
        mariadb, zookeeper = stack.enter_context(MariaDB()), stack.enter_context(ZooKeeper())
        variables = {
            "DATABASE_URL": mariadb.url,
            "REGISTRY_URL": f"{zookeeper.url()}?session_timeout={SESSION:.0f}",
            "DJANGO_SETTINGS_MODULE": "benchmarks.failover.settings",
            "BENCH_FOLDER": str(folder),
        }
        doors = [stack.enter_context(Commits(mariadb.port)) for _item in range(ITEMS)]
        site = stack.enter_context(lend_site(folder, variables))
        lent = Cluster(site=site, folder=folder, hosts=[])
        stack.callback(thaw_all, lent)
        lent.tell({})
        lent.rows(TABLE)
        for door in doors:
            process = site.start(variables={"DATABASE_URL": through(mariadb.url, door.port)})
            lent.hosts.append(Host(site=site, process=process, commits=door))
        yield lent


def thaw_all(lent: Cluster) -> None:
    for host in lent.hosts:
        if host.process.poll() is None:
            host.thaw()


def through(address: str, port: int) -> str:
    """Return the address of the same database behind another port."""
    url = urlsplit(address)
    return url._replace(netloc=f"{url.netloc.rpartition(':')[0]}:{port}").geturl()


def await_even(lent: Cluster) -> None:
    eventually(lent.is_even, TIMEOUT, "each instance has one item")
