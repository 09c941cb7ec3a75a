"""A site of its own for one test: a new database, the real programs, and what they leave behind."""

import contextlib
import dataclasses
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.daemons import began_at
from deploy.family import children, working_processes

ROOT = Path(__file__).parents[2]
LEDGER = "__import__('scheduling.database.ledger').database.ledger.DatabaseLedger()"
MANAGE = [sys.executable, "manage.py"]


@dataclass(frozen=True, kw_only=True)
class Note:
    """One line of the probe's journal."""

    event: str
    fire_time: str
    item: int
    token: int
    attempt: int
    pid: int
    time: float
    instance: str


class Scheduler:
    """One `manage.py runscheduler`; `registry` is where it looks for the others, if not where they do."""

    def __init__(
        self,
        site: "Site",
        *arguments: str,
        registry: str = "",
        env: Mapping[str, str] | None = None,
        new_session: bool = False,
    ) -> None:
        self._site = site
        self._arguments = arguments
        self._env = site.env | dict(env or {}) | ({"REGISTRY_URL": registry} if registry else {})
        self._new_session = new_session
        self.start()

    def start(self) -> None:
        with self._site.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*MANAGE, "runscheduler", *self._arguments],
                cwd=ROOT,
                env=self._env,
                stdout=log,
                stderr=log,
                start_new_session=self._new_session,
            )

    @property
    def pid(self) -> int:
        """Return the pid of its supervisor."""
        return self.process.pid

    @property
    def working_pid(self) -> int:
        """Return the pid of its working process, which the instance's row has, too; 0 if there is none now."""
        known = {pid for (pid,) in self._site.rows("SELECT pid FROM scheduling_instance WHERE died_at IS NULL")}
        return max(children(self.pid) & known, default=0)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def freeze(self) -> int:
        """Stop both of its processes, as a host that stands still; return the pid of the one that works."""
        working = eventually(lambda: self.working_pid, 30, "an instance is in the ledger")
        for pid in (working, self.pid):
            os.kill(pid, signal.SIGSTOP)
        return int(working)

    def thaw(self) -> None:
        for pid in (self.pid, *children(self.pid)):
            os.kill(pid, signal.SIGCONT)

    def wait(self, timeout: float = 90) -> int:
        return self.process.wait(timeout)

    def kill(self) -> None:
        """Kill its supervisor, if it runs; its working process ends with it."""
        if self.process.poll() is not None:
            return
        # Without what handlers have left behind, which the supervisor has adopted, and which is theirs to end.
        working = working_processes(self.pid)
        self.process.kill()
        self.process.wait()
        for pid in working:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        eventually(lambda: not any(began_at(pid) for pid in working), 10, "the working process has ended")


class Site:
    """The project on a database of its own, and on a registry."""

    def __init__(self, folder: Path, server: str, registry: str, settings: str = "settings") -> None:
        self.folder = folder
        self.log = folder / "log"
        self.journal = folder / "journal"
        self.journal.touch()
        self.schedulers: list[Scheduler] = []
        self.env = os.environ | {
            "DJANGO_SETTINGS_MODULE": f"tests.acceptance.{settings}",
            "DATABASE_URL": new_database(folder, server),
            "REGISTRY_URL": registry,
            "PROBE_JOURNAL": str(self.journal),
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def on_mariadb(self) -> bool:
        return self.env["DATABASE_URL"].startswith("mysql")

    def manage(self, *arguments: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end."""
        done = subprocess.run(
            [*MANAGE, *arguments], cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=timeout
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def shell(self, code: str) -> str:
        """Run Python within the project and return what it prints."""
        return self.manage("shell", "--verbosity", "0", "--command", code).stdout

    def change(self, job: str, what: str) -> None:
        """Change something of a job, as a person does; `what` is an assignment to a field."""
        self.shell(
            "from scheduling.database import configuration as c; from django.db import transaction as t\n"
            f"with t.atomic(): row = c.row_of({job!r}); row.{what}; c.save(row)"
        )

    def request(self, job: str, key: int) -> None:
        """Ask for a manual fire, as a person does."""
        self.shell(f"{LEDGER}.request({job!r}, key={key}, asked_by='tester')")

    def executions(self, job: str) -> list[tuple[Any, ...]]:
        """Return (item, state, reason, attempt, token, message) of a job's executions, in the order of their ids."""
        return self.rows(
            "SELECT e.item, e.state, e.reason, e.attempt, e.token, e.message FROM scheduling_execution e "
            f"JOIN scheduling_job j ON j.id = e.job_id WHERE j.name = '{job}' ORDER BY e.id"
        )

    def scheduler(self, *arguments: str, **how: Any) -> Scheduler:
        """Start one more `runscheduler`."""
        self.schedulers.append(Scheduler(self, *arguments, **how))
        return self.schedulers[-1]

    def close(self) -> None:
        for scheduler in self.schedulers:
            scheduler.kill()

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the database, not the product."""
        with contextlib.closing(connect(self.env["DATABASE_URL"])) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())

    def write(self, statement: str) -> None:
        """Change the database behind the product's back."""
        with contextlib.closing(connect(self.env["DATABASE_URL"])) as connection:
            connection.cursor().execute(statement)
            connection.commit()

    def notes(self) -> list[Note]:
        """Return the probe's journal."""
        fields = [field.name for field in dataclasses.fields(Note)]
        kinds = [str, str, int, int, int, int, float, str]
        whole, _newline, _being_written = self.journal.read_text().rpartition("\n")
        lines = (line.split() for line in whole.splitlines())
        return [Note(**{f: kind(word) for f, kind, word in zip(fields, kinds, line, strict=True)}) for line in lines]

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@contextlib.contextmanager
def site(folder: Path, server: str = "", registry: str = "database://", settings: str = "settings") -> Iterator[Site]:
    """Lend a migrated site on the server that the tests run on, or another; its processes end with it."""
    lent = Site(folder, server or os.environ["DATABASE_URL"], registry, settings)
    try:
        lent.manage("migrate", "--verbosity", "0")
        yield lent
    finally:
        lent.close()
        print(lent.log_text()[-20_000:])  # pytest shows it with a test that failed


def new_database(folder: Path, server: str) -> str:
    """Return the DATABASE_URL of an empty database on a server."""
    url = urlsplit(server)
    if url.scheme != "mysql":
        return f"sqlite:///{folder / 'db.sqlite3'}"
    name = f"acceptance_{secrets.token_hex(6)}"
    with contextlib.closing(connect(url.geturl())) as connection:
        connection.cursor().execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    return url._replace(path=f"/{name}").geturl()


def connect(address: str) -> Any:
    url = urlsplit(address)
    if url.scheme == "sqlite":
        return sqlite3.connect(url.path.removeprefix("/") if url.path.startswith("//") else url.path, timeout=20)
    import MySQLdb  # only where there is a MariaDB is its client

    return MySQLdb.connect(
        host=url.hostname,
        port=url.port,
        user=url.username,
        password=url.password,
        database=url.path[1:],
        charset="utf8mb4",
    )


def eventually(holds: Callable[[], Any], timeout: float, what: str) -> Any:
    """Return the first true answer within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := holds()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.05)
    return answer
