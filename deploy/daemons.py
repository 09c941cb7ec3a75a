"""Programs that run in the background: each is known by its pid and by when that process began."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """One program, its log and its pid in a folder."""

    name: str
    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Return its pid; None if it does not run, or somebody else has got its pid since."""
        with contextlib.suppress(OSError, ValueError):
            pid, began = self._pid_file.read_text().split()
            if began == began_at(int(pid)):
                return int(pid)
        return None

    def keep_log(self) -> None:
        """Set the log of an earlier start aside, over the one before it."""
        if self.log.exists():
            self.log.rename(self.log.with_suffix(".log.1"))

    def start(self, command: list[str], directory: Path, env: dict[str, str]) -> None:
        """Start it, with its output appended to its log; it outlives this process."""
        self.sweep()
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env=os.environ | env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file.write_text(f"{process.pid} {began_at(process.pid)}")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if pid := self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """End it at once, and what it started: its process began a group of its own."""
        if pid := self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def sweep(self) -> None:
        """End what it has started, if it was killed itself: the processes of nginx go on without the first of them."""
        with contextlib.suppress(OSError, ValueError):
            pid, began = self._pid_file.read_text().split()
            if began_at(int(pid)) in ("", began):  # otherwise its pid, and so its group, is somebody else's
                os.killpg(int(pid), signal.SIGKILL)

    def await_up(self, is_up: Callable[[], bool], seconds: float) -> bool:
        """Wait until it serves; say whether it does."""
        return waited(lambda: self.pid is None or is_up(), seconds) and self.pid is not None

    def last_words(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"


def stop_all(daemons: Iterable[Daemon], seconds: float) -> list[Daemon]:
    """Ask them to end, all at once; after `seconds` end them, and return those that had to be ended."""
    daemons = list(daemons)
    running = [daemon for daemon in daemons if daemon.pid]
    for daemon in running:
        daemon.signal(signal.SIGTERM)
    waited(lambda: not any(daemon.pid for daemon in running), seconds)
    stubborn = [daemon for daemon in running if daemon.pid]
    for daemon in stubborn:
        daemon.kill()
    waited(lambda: not any(daemon.pid for daemon in stubborn), 10)
    for daemon in daemons:
        daemon.sweep()
    return stubborn


def waited(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds; say whether it did in time."""
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


def began_at(pid: int) -> str:
    """Return when a process began, in ticks since the machine did; nothing if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
