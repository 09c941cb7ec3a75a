"""The columns of the table: which servers a site is measured on, and how these are set."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.site import Site, site
from deploy.servers.mariadb import MariaDB
from deploy.servers.zookeeper import ZooKeeper

MARIADB = (
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-doublewrite=1",
    "--innodb-log-file-size=512M",
    "--innodb-buffer-pool-size=512M",
    "--skip-log-bin",
)
"""As in production: a commit is on the disk when it returns, a torn page can be mended. No replica, so no binlog."""

TICK_TIME = 250
"""A session ends up to a tick after its timeout, which is part of each failover."""

ZOOKEEPER = ("forceSync=yes", "maxSessionTimeout=40000")
SQLITE = "journal_mode=WAL, synchronous=FULL, transaction_mode=IMMEDIATE"
DATABASE_SESSION = 5.0
ZOOKEEPER_SESSION = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One site on its servers, while it is measured; `session` is the session timeout in seconds."""

    name: str
    settings: str
    site: Site
    session: float
    mariadb: MariaDB | None = None
    zookeeper: ZooKeeper | None = None

    @property
    def counts(self) -> bool:
        """Has it servers, which count what they are asked?"""
        return self.mariadb is not None


@contextlib.contextmanager
def on_servers() -> Iterator[Column]:
    """Lend a site on MariaDB and ZooKeeper."""
    with scratch() as folder, MariaDB(MARIADB) as mariadb, _zookeeper() as zookeeper:
        with_what = f"MariaDB with {' '.join(MARIADB)}; ZooKeeper with tickTime={TICK_TIME} {' '.join(ZOOKEEPER)}"
        variables = {"DATABASE_URL": mariadb.url, "REGISTRY_URL": zookeeper.url()}
        with site(folder, variables) as lent:
            yield Column(
                name="MariaDB, ZooKeeper",
                settings=f"{with_what}, session timeout {ZOOKEEPER_SESSION:.0f} s",
                site=lent,
                session=ZOOKEEPER_SESSION,
                mariadb=mariadb,
                zookeeper=zookeeper,
            )


@contextlib.contextmanager
def on_sqlite() -> Iterator[Column]:
    """Lend a site on SQLite, with the registry in it."""
    with scratch() as folder:
        variables = {"DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}", "REGISTRY_URL": "database://"}
        with site(folder, variables) as lent:
            yield Column(
                name="SQLite, registry in it",
                settings=f"{SQLITE}, session timeout {DATABASE_SESSION:.0f} s",
                site=lent,
                session=DATABASE_SESSION,
            )


def _zookeeper() -> ZooKeeper:
    return ZooKeeper(tick_time=TICK_TIME, settings=ZOOKEEPER)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield Path(folder)


COLUMNS = {"servers": on_servers, "sqlite": on_sqlite}
EACH_TIME = tuple(COLUMNS)
