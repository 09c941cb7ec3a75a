"""The tables of the ledger, the effects, and the registry's tree, read with plain SQL and kazoo."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import MySQLdb
from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

from chaos.values import Cursor, Effect, Execution, Fire, Instance, Item, Job, Marker, Tree

EFFECTS = """
CREATE TABLE chaos_effect (
    id BIGINT AUTO_INCREMENT PRIMARY KEY, way VARCHAR(10), job VARCHAR(100), item INT,
    execution BIGINT, attempt INT, token BIGINT, KEY slice (job, item, token)
) ENGINE = InnoDB
"""
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
    found = rows(
        url, "SELECT id, name, misfire, failover, retries, retry_delay, timeout, on_timeout FROM scheduling_job"
    )
    return tuple(
        Job(
            id=id,
            name=name,
            misfire=misfire,
            failover=bool(failover),
            retries=retries,
            retry_delay=delay,
            timeout=timeout,
            kills=on_timeout == "kill",
        )
        for id, name, misfire, failover, retries, delay, timeout, on_timeout in found
    )


def cursors(url: str) -> tuple[Cursor, ...]:
    found = rows(
        url, "SELECT j.name, c.revision, c.counted_to FROM scheduling_cursor c JOIN scheduling_job j ON j.id = c.job_id"
    )
    return tuple(Cursor(job=job, revision=revision, counted_to=_seconds(to)) for job, revision, to in found)


def fires(url: str) -> tuple[Fire, ...]:
    found = rows(
        url,
        "SELECT f.id, j.name, f.fire_time, f.run, f.revision, f.total, f.state, f.reason, f.missed_count, "
        "f.first_missed, f.opened_at, f.settled_at "
        "FROM scheduling_fire f JOIN scheduling_job j ON j.id = f.job_id ORDER BY f.id",
    )
    return tuple(
        Fire(
            id=id,
            job=job,
            fire_time=int(_seconds(time)),
            run=run,
            revision=revision,
            total=total,
            state=state,
            reason=reason,
            missed_count=count,
            first_missed=int(_seconds(first)) if first else None,
            opened_at=_seconds(opened),
            settled_at=_seconds(settled) if settled else None,
        )
        for id, job, time, run, revision, total, state, reason, count, first, opened, settled in found
    )


def executions(url: str) -> tuple[Execution, ...]:
    found = rows(
        url,
        "SELECT e.id, e.fire_id, j.name, e.item, e.state, e.reason, e.attempt, e.token, e.instance_id, "
        "e.started_at, e.finished_at, e.failures "
        "FROM scheduling_execution e JOIN scheduling_job j ON j.id = e.job_id ORDER BY e.id",
    )
    return tuple(
        Execution(
            id=id,
            fire=fire,
            job=job,
            item=item,
            state=state,
            reason=reason,
            attempt=attempt,
            token=token,
            instance=instance,
            started_at=_seconds(started) if started else None,
            finished_at=_seconds(finished) if finished else None,
            failures=failures,
        )
        for id, fire, job, item, state, reason, attempt, token, instance, started, finished, failures in found
    )


def items(url: str) -> tuple[Item, ...]:
    found = rows(
        url,
        "SELECT j.name, i.number, i.token, i.execution_id, i.instance_id "
        "FROM scheduling_item i JOIN scheduling_job j ON j.id = i.job_id",
    )
    return tuple(Item(job=job, number=n, token=token, execution=e, instance=i) for job, n, token, e, i in found)


def instances(url: str) -> tuple[Instance, ...]:
    found = rows(url, "SELECT id, died_at, died_by FROM scheduling_instance")
    return tuple(Instance(id=id, died_at=_seconds(at) if at else None, died_by=by) for id, at, by in found)


def effects(url: str) -> tuple[Effect, ...]:
    found = rows(url, "SELECT id, way, job, item, execution, attempt, token FROM chaos_effect ORDER BY id")
    return tuple(
        Effect(id=id, way=way, job=job, item=item, execution=execution, attempt=attempt, token=token)
        for id, way, job, item, execution, attempt, token in found
    )


def markers(url: str) -> tuple[Marker, ...]:
    found = rows(url, "SELECT execution_id, name FROM scheduling_marker")
    return tuple(Marker(execution=execution, name=name) for execution, name in found)


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
