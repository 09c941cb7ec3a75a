"""What a run plays on: the servers, the schedulers behind their links, the editor, and the files they all write."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from chaos import journal
from chaos.ledger import create_effects, periods
from chaos.schedulers import ROOT, Scheduler
from deploy.servers.mariadb import MariaDB
from deploy.servers.zookeeper import Ensemble

NODES = 5
SESSION = 6.0
NAMESPACE = "chaos"
DURABLE = (  # what is committed stays, also when the server is killed
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-log-file-size=64M",
    "--innodb-buffer-pool-size=128M",
    "--performance-schema=0",
    "--skip-log-bin",
)


class Stage:
    """A context with everything running; `folder` keeps what the checker reads."""

    def __init__(self, folder: Path, settings: str) -> None:
        self.folder = folder
        self.settings = settings
        self.ensemble = Ensemble()
        self.mariadb = MariaDB(DURABLE)
        self.schedulers: list[Scheduler] = []
        self.over = threading.Event()
        self.striking: list[threading.Thread] = []
        self.servers = threading.Lock()
        self.database = threading.Lock()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.mariadb)
            stack.enter_context(self.ensemble)
            self._prepare()
            self.editor = stack.enter_context(Editor(self.env))
            for name in self.names:
                scheduler = Scheduler(name, self.folder, self.env, self.ensemble.ports)
                self.schedulers.append(stack.enter_context(scheduler))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        for thread in self.striking:
            thread.join()  # else it would start again what has just been ended
        self._stack.close()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"n{number}" for number in range(1, NODES + 1))

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def env(self) -> dict[str, str]:
        return os.environ | {
            "SECRET_KEY": "only-for-the-rig",
            "DJANGO_SETTINGS_MODULE": self.settings,
            "DATABASE_URL": self.mariadb.url,
            "REGISTRY_URL": f"zookeeper://127.0.0.1:{self.ensemble.ports[0]}/{NAMESPACE}",
            "REDIS_URL": "",
            "TIME_ZONE": "UTC",
            "LOG_LEVEL": "INFO",
            "CHAOS_JOURNAL": str(self.journal),
            "CHAOS_INSIDE": str(self.folder / "inside"),
            "PYTHONUNBUFFERED": "1",
        }

    def note(self, file: str, line: Mapping[str, Any]) -> None:
        """Append to one of the files that the checker reads."""
        journal.append(str(self.folder / file), line)

    def _prepare(self) -> None:
        (self.folder / "inside").mkdir()
        self.journal.touch()
        asked = time.time()
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=180,
        )
        if done.returncode:
            raise RuntimeError(f"migrate failed:\n{done.stdout}{done.stderr}")
        create_effects(self.mariadb.url)
        for period in periods(self.mariadb.url):
            self.note("periods", period | {"asked": asked, "told": time.time()})


class Editor:
    """A context with the process that edits jobs; one order at a time."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chaos.editor"],
            cwd=ROOT,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out an order and return what the editor says."""
        with self._lock:
            assert self.process.stdin and self.process.stdout
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("the editor has ended")
        told: dict[str, Any] = json.loads(answer)
        return told


def eventually(holds: Callable[[], Any], timeout: float) -> bool:
    """Wait until it holds; say whether it did within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.2)
    return bool(holds())
