"""The schedulers: each a process behind links of its own, that can be killed, frozen, drained and started again."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from chaos.proxy import Link
from deploy.family import working_processes

ROOT = Path(__file__).parents[1]
WORKERS = 12
DRAIN_SECONDS = 75
WORKING_SECONDS = 5.0


class Scheduler:
    """One node: a context with its process and its links to ZooKeeper and to the database."""

    def __init__(self, name: str, folder: Path, env: Mapping[str, str], zookeepers: list[int]) -> None:
        self.name = name
        self.inside = folder / "inside"
        self.log = folder / f"{name}.log"
        self.shift = self.log.with_suffix(".shift")
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
        """Return the process that works, the child of the supervisor; wait for it where one has just died."""
        deadline = time.monotonic() + WORKING_SECONDS
        while time.monotonic() < deadline:
            if found := working_processes(self.process.pid):
                return max(found)
            time.sleep(0.02)
        return self.process.pid

    def kill_working(self) -> int:
        """End the process that works, as the kernel does when memory is short; return its pid."""
        return self._send(signal.SIGKILL, self.working())

    def kill_all(self) -> None:
        """End the supervisor and the process that works, in this order, as a power cut does."""
        if self.is_running():
            working = self.working()
            self._send(signal.SIGKILL, self.process.pid)
            self._send(signal.SIGKILL, working)
        self.process.wait()

    def freeze(self) -> int:
        return self._send(signal.SIGSTOP, self.working())

    def thaw(self, pid: int) -> None:
        self._send(signal.SIGCONT, pid)

    def shift_clock(self, seconds: float) -> None:
        """Let this node take another time for the time."""
        self.shift.with_suffix(".draft").write_text(str(seconds))
        self.shift.with_suffix(".draft").rename(self.shift)

    def _send(self, number: signal.Signals, pid: int) -> int:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

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
            "CHAOS_SHIFT": str(self.shift),
        }
