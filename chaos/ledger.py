"""The tables of the ledger, the effects, and the registry's tree, read with plain SQL and kazoo."""

import contextlib
import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar, get_type_hints
from urllib.parse import urlsplit

import MySQLdb
from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

from chaos.values import Cursor, Effect, Execution, Fire, Instance, Item, Job, Marker, Tree

EFFECTS = """
CREATE TABLE chaos_effect (
    id BIGINT AUTO_INCREMENT PRIMARY KEY, way VARCHAR(10), job VARCHAR(100), item INT,
    execution BIGINT, attempt INT, token BIGINT,
    at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6), KEY slice (job, item, token)
) ENGINE = InnoDB
"""
Value = TypeVar("Value")

FOLDERS = ("instances", "leader", "jobs", "assignments")


@contextlib.contextmanager
def connected(url: str) -> Iterator[Any]:
    """Lend a cursor on the database at a URL."""
    split = urlsplit(url)
    connection = MySQLdb.connect(
        host=split.hostname,
        port=split.port,
        user=split.username,
        password=split.password,
        database=split.path[1:],
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=5,
        init_command="SET time_zone='+00:00'",
    )
    with contextlib.closing(connection):
        yield connection.cursor()


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with connected(url) as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def create_effects(url: str) -> None:
    with connected(url) as cursor:
        cursor.execute(EFFECTS)


def periods(url: str) -> list[dict[str, Any]]:
    """Return how every job is configured before anything has run."""
    found = rows(
        url,
        "SELECT j.name, c.revision, c.counted_to, c.anchor, c.enabled, j.sharding_total_count, j.trigger_kind, j.cron, "
        "j.`interval` FROM scheduling_job j JOIN scheduling_cursor c ON c.job_id = j.id",
    )
    return [_period(*row) for row in found]


def _period(
    job: str,
    revision: int,
    counted_to: datetime,
    anchor: datetime | None,
    enabled: int,
    total: int,
    kind: str,
    cron: str,
    interval: int | None,
) -> dict[str, Any]:
    by_interval = kind == "interval"
    return {
        "job": job,
        "revision": revision,
        "after": _seconds(counted_to),
        "every": interval if by_interval else int(cron.split()[0].removeprefix("*").removeprefix("/") or 1),
        "anchor": int(_seconds(anchor)) if by_interval and anchor else 0,
        "enabled": bool(enabled),
        "total": total,
    }


def jobs(url: str) -> tuple[Job, ...]:
    columns = "id, name, misfire, failover, retries, retry_delay, timeout, on_timeout = 'kill'"
    return _read(url, Job, f"SELECT {columns} FROM scheduling_job")


def cursors(url: str) -> tuple[Cursor, ...]:
    columns = "j.name, c.revision, c.counted_to"
    return _read(url, Cursor, f"SELECT {columns} FROM scheduling_cursor c JOIN scheduling_job j ON j.id = c.job_id")


def fires(url: str) -> tuple[Fire, ...]:
    columns = (
        "f.id, j.name, f.fire_time, f.run, f.revision, f.total, f.state, f.reason, f.missed_count, f.first_missed, "
        "f.opened_at, f.settled_at"
    )
    return _read(
        url, Fire, f"SELECT {columns} FROM scheduling_fire f JOIN scheduling_job j ON j.id = f.job_id ORDER BY f.id"
    )


def executions(url: str) -> tuple[Execution, ...]:
    columns = (
        "e.id, e.fire_id, j.name, e.item, e.state, e.reason, e.attempt, e.token, e.instance_id, e.started_at, "
        "e.finished_at, e.failures"
    )
    return _read(
        url,
        Execution,
        f"SELECT {columns} FROM scheduling_execution e JOIN scheduling_job j ON j.id = e.job_id ORDER BY e.id",
    )


def items(url: str) -> tuple[Item, ...]:
    columns = "j.name, i.number, i.token, i.execution_id, i.instance_id"
    return _read(url, Item, f"SELECT {columns} FROM scheduling_item i JOIN scheduling_job j ON j.id = i.job_id")


def instances(url: str) -> tuple[Instance, ...]:
    return _read(url, Instance, "SELECT id, died_at, died_by FROM scheduling_instance")


def effects(url: str) -> tuple[Effect, ...]:
    columns = "id, way, job, item, execution, attempt, token, at"
    return _read(url, Effect, f"SELECT {columns} FROM chaos_effect ORDER BY id")


def markers(url: str) -> tuple[Marker, ...]:
    return _read(url, Marker, "SELECT execution_id, name FROM scheduling_marker")


def _read(url: str, kind: type[Value], statement: str) -> tuple[Value, ...]:
    """Return what a statement selects as values of a kind, whose fields come in the order of the columns."""
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return tuple(
        kind(**{name: _plain(value, hints[name]) for name, value in zip(names, row, strict=True)})
        for row in rows(url, statement)
    )


def _plain(value: Any, hint: Any) -> Any:
    """Return a column's value as its field has it: times are seconds, whole ones where the field says so."""
    if isinstance(value, datetime):
        return int(_seconds(value)) if hint in (int, int | None) else _seconds(value)
    return bool(value) if hint is bool else value


def tree(hosts: str, namespace: str) -> Tree:
    """Return what stands in the registry."""
    client = KazooClient(hosts, timeout=10, read_only=False)
    client.start(timeout=30)
    try:
        client.sync(f"/{namespace}")
        folders = {folder: _folder(client, f"/{namespace}/{folder}") for folder in FOLDERS}
        return Tree(folders=folders, nodes=_count(client, f"/{namespace}"))
    finally:
        client.stop()
        client.close()


def _folder(client: KazooClient, path: str) -> dict[str, str]:
    found = {}
    for name in client.get_children(path):
        with contextlib.suppress(NoNodeError):
            found[name] = client.get(f"{path}/{name}")[0].decode(errors="replace")
    return found


def _count(client: KazooClient, path: str) -> int:
    return 1 + sum(_count(client, f"{path}/{name}") for name in client.get_children(path))


def _seconds(at: datetime) -> float:
    return at.replace(tzinfo=UTC).timestamp()
