"""What a cluster on one machine consists of: each program, how it is started, and when it is up."""

import json
import os
import secrets
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.daemons import Daemon
from deploy.install import PYTHON, ROOT
from deploy.servers import mariadb, zookeeper
from deploy.servers.ports import free_port

FOLDER = ROOT / "var" / "cluster"
LOCK = ROOT / "var" / "cluster.lock"
WITH_PORTS = ("zookeeper", "mariadb", "web")
SCHEDULERS = ("scheduler-1", "scheduler-2", "scheduler-3")
NAMES = ("zookeeper", "mariadb", *SCHEDULERS, "web")
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
            "SECRET_KEY": self.secret_key,
            "PYTHONUNBUFFERED": "1",
        }


def state() -> State:
    """Return what is kept, or draw it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = FOLDER / "state.json"
    if kept.exists():
        return State(**json.loads(kept.read_text()))
    drawn = State(
        ports={name: free_port() for name in WITH_PORTS},
        password=secrets.token_hex(16),
        secret_key=secrets.token_urlsafe(50),
    )
    draft = FOLDER / "state.draft"
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(drawn), file)
    draft.rename(kept)
    return drawn


def programs(state: State) -> dict[str, Program]:
    """Return the programs by name, in the order in which they start."""
    ports = state.ports
    found = [
        _zookeeper(ports["zookeeper"]),
        _mariadb(ports["mariadb"], state.password),
        *(_scheduler(name) for name in SCHEDULERS),
        _web(ports["web"]),
    ]
    return {program.name: program for program in found}


def _zookeeper(port: int) -> Program:
    folder = FOLDER / "zookeeper"

    def command() -> list[str]:
        folder.mkdir(exist_ok=True)
        return zookeeper.command(folder, port, ["tickTime=1000"], ["-Xmx256m", zookeeper.TALKATIVE])

    return Program(name="zookeeper", command=command, is_up=lambda: zookeeper.is_up(port), address=f"127.0.0.1:{port}")


def _mariadb(port: int, password: str) -> Program:
    folder = FOLDER / "mariadb"

    def command() -> list[str]:
        if not (folder / "init.sql").exists():
            folder.mkdir(exist_ok=True)
            mariadb.install(folder, password)
        return mariadb.command(folder, port)

    return Program(name="mariadb", command=command, is_up=lambda: mariadb.is_up(port), address=f"127.0.0.1:{port}")


def _scheduler(name: str) -> Program:
    return Program(
        name=name,
        command=lambda: [str(PYTHON), "manage.py", "runscheduler"],
        is_up=lambda: _said(FOLDER / f"{name}.log", "is registered"),
        patience=DRAIN_SECONDS,
    )


def _web(port: int) -> Program:
    web = ["-m", "gunicorn", "config.wsgi", f"--bind=127.0.0.1:{port}", "--workers=2", "--threads=4"]
    return Program(
        name="web",
        command=lambda: [str(PYTHON), *web, "--no-control-socket"],
        is_up=lambda: _answers(f"http://127.0.0.1:{port}/healthz"),
        address=f"http://127.0.0.1:{port}/admin/",
        patience=WEB_SECONDS,
    )


def _said(log: Path, words: str) -> bool:
    return log.exists() and words in log.read_text(errors="replace")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
