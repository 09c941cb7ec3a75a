"""A site of its own for one column: a new database, real `runscheduler` processes, and what they write down."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.figures import Start
from deploy.family import working_processes

ROOT = Path(__file__).parents[1]
WORKERS = 64
START_SECONDS = 30.0
DRAIN_SECONDS = 30.0


class Site:
    """The project in a scratch folder."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.journal = folder / "journal"
        self.held = folder / "held"
        self.log = folder / "log"
        self.log.touch()
        self.env = os.environ | {
            "SECRET_KEY": "only-for-benchmarks",
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "BENCH_JOURNAL": str(self.journal),
            "BENCH_HELD": str(self.held),
            **variables,
        }
        self.instances: list[subprocess.Popen[bytes]] = []

    def run(self, *arguments: str) -> str:
        """Run a Python program of the project to its end, and return what it prints."""
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def configure(self, handler: str, *, jobs: int, items: int, cron: str = "") -> None:
        """Have these jobs, and only these, enabled."""
        self.run("-m", "benchmarks.configure", handler, str(jobs), str(items), *([cron] if cron else []))

    def start(
        self, workers: int = WORKERS, variables: Mapping[str, str] = MappingProxyType({})
    ) -> subprocess.Popen[bytes]:
        """Start one more instance."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "runscheduler", "--workers", str(workers)],
                cwd=ROOT,
                env={**self.env, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.instances.append(process)
        return process

    def working_pid(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for the working process of an instance."""
        started = eventually(lambda: working_processes(process.pid), START_SECONDS, "its process has started")
        return int(max(started))

    def drain(self) -> None:
        """End all instances as a deploy does."""
        for process in self.instances:
            process.terminate()
        for process in self.instances:
            process.wait(DRAIN_SECONDS)
        self.instances.clear()

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End an instance as a power cut does."""
        process.kill()
        process.wait()
        self.instances.remove(process)

    def close(self) -> None:
        for process in list(self.instances):
            self.kill(process)

    def take_starts(self) -> list[Start]:
        """Return the starts in the journal of drained instances, and begin a new one."""
        rows = [line.split() for line in self.journal.read_text().splitlines()]
        self.journal.unlink()
        return [Start(fire_time=float(fire), item=int(item), started_at=float(start)) for fire, item, start in rows]

    def log_lines(self) -> list[str]:
        """Return what the instances have logged."""
        return self.log.read_text(errors="replace").splitlines()


@contextlib.contextmanager
def site(folder: Path, variables: Mapping[str, str]) -> Iterator[Site]:
    """Lend a migrated site; its instances end with it."""
    lent = Site(folder, variables)
    try:
        lent.run("manage.py", "migrate", "--verbosity", "0")
        yield lent
    finally:
        lent.close()


def eventually(holds: Callable[[], Any], timeout: float, what: str) -> Any:
    """Return the first true answer within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := holds()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout} s: {what}")
        time.sleep(0.05)
    return answer
