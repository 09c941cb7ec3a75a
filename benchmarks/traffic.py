"""What fires cost the servers: their own counters while jobs fire, less the same while nothing does."""

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from benchmarks.columns import Column

STATEMENTS = ("Questions", "Com_select", "Com_insert", "Com_update", "Com_delete", "Com_commit", "Com_set_option")
PACKETS = "zk_packets_received"

Counts = dict[str, float]


@dataclass
class Sample:
    """What servers count per second, over the time that `sampled` was entered."""

    rates: Counts = field(default_factory=dict)

    def beyond(self, idle: "Sample", fires_per_second: float) -> Counts:
        """Return what each fire adds."""
        return {name: (rate - idle.rates[name]) / fires_per_second for name, rate in self.rates.items()}


@contextlib.contextmanager
def sampled(column: Column, sample: Sample) -> Iterator[None]:
    """Fill the sample with what the servers count per second meanwhile."""
    before, began = counters(column), time.monotonic()
    yield
    seconds = time.monotonic() - began
    sample.rates = {name: (count - before[name]) / seconds for name, count in counters(column).items()}


def counters(column: Column) -> Counts:
    """Return what the column's servers have counted since they started."""
    statements = mariadb_counters(column.mariadb.url) if column.mariadb else {}
    packets = zookeeper_counters(column.zookeeper.four_letter("mntr")) if column.zookeeper else {}
    return statements | packets


def mariadb_counters(url: str) -> Counts:
    with contextlib.closing(connect(url)) as connection:
        cursor = connection.cursor()
        cursor.execute("SHOW GLOBAL STATUS")
        status = dict(cursor.fetchall())
    return {name: float(status[name]) for name in STATEMENTS}


def zookeeper_counters(mntr: str) -> Counts:
    found = re.search(rf"^{PACKETS}\t(\d+)", mntr, re.MULTILINE)
    if not found:
        raise ValueError(f"mntr does not tell {PACKETS}: {mntr[:200]!r}")
    return {PACKETS: float(found[1])}


def connect(address: str) -> Any:
    import MySQLdb  # only where there is a MariaDB is its client

    url = urlsplit(address)
    return MySQLdb.connect(
        host=url.hostname, port=url.port, user=url.username, password=url.password, database=url.path[1:]
    )
