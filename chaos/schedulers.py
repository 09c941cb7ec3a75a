"""The schedulers: each a process behind links of its own, that can be killed, frozen, drained and started again."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from chaos.proxy import Link

ROOT = Path(__file__).parents[1]
WORKERS = 12
DRAIN_SECONDS = 75


class Scheduler:
    """One node: a context with its process and its links to ZooKeeper and to the database."""

    def __init__(self, name: str, folder: Path, env: Mapping[str, str], zookeepers: list[int]) -> None:
        self.name = name
        self.inside = folder / "inside"
        self.log = folder / f"{name}.log"
        self.busy = threading.Lock()
        self.zookeeper = Link(zookeepers)
        self.database = Link([urlsplit(env["DATABASE_URL"]).port or 3306])
        self._env = env

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.zookeeper)
            stack.enter_context(self.database)
            self.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill_all()
        self._stack.close()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "chaos.scheduler", "runscheduler", "--workers", str(WORKERS)],
                cwd=ROOT,
                env={**self._env, **self._addresses()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_running(self) -> bool:
        return self.process.poll() is None

    def working(self) -> int:
        """Return the process that works: the child of a supervisor, or the one process there is."""
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with contextlib.suppress(OSError):
            found = Path(children).read_text().split()
            return int(found[0]) if found else self.process.pid
        return self.process.pid

    def kill_working(self) -> int:
        """End the process that works, as the kernel does when memory is short; return its pid."""
        pid = self.working()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return pid

    def kill_all(self) -> None:
        """End the supervisor and all that it has started, as a power cut does."""
        if self.is_running():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> int:
        pid = self.working()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        return pid

    def thaw(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def is_inside(self, way: str) -> bool:
        """Is a handler of its working process within a transaction, after its first write? `way`: atomic or once."""
        return any(self.inside.glob(f"{self.name}.{self.working()}.{way}.*"))

    def mend(self) -> None:
        """Start the process again if it has ended, and mend its links."""
        self.zookeeper.mend()
        self.database.mend()
        if not self.is_running():
            self.start()

    def drain(self) -> int:
        """End it as a deploy does, and return its exit code; -9 if it had to be killed."""
        self.process.terminate()
        try:
            return self.process.wait(DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill_all()
            return -int(signal.SIGKILL)

    def _addresses(self) -> dict[str, str]:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.zookeeper.ports)
        database = urlsplit(self._env["DATABASE_URL"])
        port = self.database.ports[0]
        return {
            "REGISTRY_URL": f"zookeeper://{hosts}/chaos",
            "DATABASE_URL": database._replace(netloc=f"{database.netloc.rpartition(':')[0]}:{port}").geturl(),
            "CHAOS_NODE": self.name,
            "CHAOS_SHIFT": str(self.log.with_suffix(".shift")),
        }
