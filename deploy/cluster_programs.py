"""What a cluster on one machine consists of: each program, how it is started, and when it is up."""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.daemons import Daemon
from deploy.install import PYTHON, ROOT
from deploy.readiness import is_ready, status
from deploy.servers import mariadb, nginx, redis, zookeeper
from deploy.servers.ports import free_port

FOLDER = ROOT / "var" / "cluster"
LOCK = ROOT / "var" / "cluster.lock"
SERVERS = ("zookeeper", "mariadb", "redis")
SCHEDULERS = ("scheduler-1", "scheduler-2", "scheduler-3")
REPLICAS = ("web-1", "web-2", "web-3")
WITH_PORTS = (*SERVERS, *REPLICAS, "nginx")
NAMES = (*SERVERS, *SCHEDULERS, *REPLICAS, "nginx")
FORMER = ("web",)  # what a cluster of before has, and may have running
DRAIN_SECONDS = 70
SERVER_SECONDS = 20
WEB_SECONDS = 40  # gunicorn gives the requests under way 30


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program: its command, where it is reached, when it is up, and how many seconds it may take to end."""

    name: str
    command: Callable[[], list[str]]
    is_up: Callable[[], bool]
    address: str = ""
    patience: int = SERVER_SECONDS
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def daemon(self) -> Daemon:
        return Daemon(name=self.name, folder=FOLDER)


@dataclass(frozen=True, kw_only=True)
class State:
    """What is drawn once and kept: ports, the database's password, the secret key."""

    ports: dict[str, int]
    password: str
    secret_key: str

    @property
    def env(self) -> dict[str, str]:
        """Return the environment of the project's programs."""
        return {
            "DATABASE_URL": mariadb.url(self.ports["mariadb"], self.password),
            "REGISTRY_URL": f"zookeeper://127.0.0.1:{self.ports['zookeeper']}/{zookeeper.NAMESPACE}",
            "REDIS_URL": redis.url(self.ports["redis"]),
            "SECRET_KEY": self.secret_key,
            "PYTHONUNBUFFERED": "1",
        }


def state() -> State:
    """Return what is kept; draw what is missing, which in a cluster of before may be some ports."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "state.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    drawn = State(
        ports={name: free_port() for name in WITH_PORTS} | kept.get("ports", {}),
        password=kept.get("password") or secrets.token_hex(16),
        secret_key=kept.get("secret_key") or secrets.token_urlsafe(50),
    )
    if asdict(drawn) != kept:
        write(drawn, path)
    return drawn


def write(drawn: State, path: Path) -> None:
    """Write a state that only this user can read, whole or not at all."""
    draft = FOLDER / "state.draft"
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(drawn), file)
    draft.rename(path)


def programs(state: State) -> dict[str, Program]:
    """Return the programs by name, in the order in which they start."""
    ports = state.ports
    found = [
        _zookeeper(ports["zookeeper"]),
        _mariadb(ports["mariadb"], state.password),
        _redis(ports["redis"]),
        *(_scheduler(name) for name in SCHEDULERS),
        *(_replica(name, ports[name]) for name in REPLICAS),
        _nginx(ports["nginx"], addresses(state)),
    ]
    return {program.name: program for program in found}


def _zookeeper(port: int) -> Program:
    folder = FOLDER / "zookeeper"

    def command() -> list[str]:
        folder.mkdir(exist_ok=True)
        return zookeeper.command(
            folder, port, ["tickTime=250", "maxSessionTimeout=40000"], ["-Xmx256m", zookeeper.TALKATIVE]
        )

    return Program(name="zookeeper", command=command, is_up=lambda: zookeeper.is_up(port), address=f"127.0.0.1:{port}")


def _mariadb(port: int, password: str) -> Program:
    folder = FOLDER / "mariadb"

    def command() -> list[str]:
        if not (folder / "init.sql").exists():
            folder.mkdir(exist_ok=True)
            mariadb.install(folder, password)
        return mariadb.command(folder, port)

    return Program(name="mariadb", command=command, is_up=lambda: mariadb.is_up(port), address=f"127.0.0.1:{port}")


def _redis(port: int) -> Program:
    return Program(
        name="redis",
        command=lambda: redis.command(FOLDER / "redis", port),
        is_up=lambda: redis.is_up(port),
        address=f"127.0.0.1:{port}",
    )


def _scheduler(name: str) -> Program:
    return Program(
        name=name,
        command=lambda: [str(PYTHON), "manage.py", "runscheduler"],
        is_up=lambda: _said(FOLDER / f"{name}.log", "is registered"),
        patience=DRAIN_SECONDS,
    )


def addresses(state: State) -> dict[str, str]:
    """Return where the web replicas listen, by name."""
    return {name: f"127.0.0.1:{state.ports[name]}" for name in REPLICAS}


def _replica(name: str, port: int) -> Program:
    address = f"127.0.0.1:{port}"
    return Program(
        name=name,
        command=lambda: [str(PYTHON), "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"],
        is_up=lambda: is_ready(port),
        address=f"http://{address}/",
        patience=WEB_SECONDS,
        env={"REPLICA": name, "BIND": address},
    )


def _nginx(port: int, replicas: Mapping[str, str]) -> Program:
    folder = FOLDER / "nginx"

    def command() -> list[str]:
        folder.mkdir(exist_ok=True)
        nginx.write(folder, nginx.usual(folder, port))
        nginx.write_servers(folder, replicas, nginx.taken_out(folder))
        return nginx.command(folder)

    return Program(
        name="nginx",
        command=command,
        is_up=lambda: status(port, "/nginx-health") != 0,
        address=f"http://127.0.0.1:{port}/",
    )


def _said(log: Path, words: str) -> bool:
    return log.exists() and words in log.read_text(errors="replace")
