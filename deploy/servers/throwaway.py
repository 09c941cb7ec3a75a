"""What the throw-away servers have in common: a process with a scratch folder, that leaves neither behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from deploy.servers.ports import free_port


def lend(
    server: contextlib.AbstractContextManager[object], variables: Callable[[], Mapping[str, str]], usage: str
) -> int:
    """Run the command of the command line, after `--`, with a server, and with what `variables` says of it."""
    command = sys.argv[2:]
    if sys.argv[1:2] != ["--"] or not command:
        sys.exit(usage)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with server:
        return subprocess.run(command, env=os.environ | variables()).returncode


class Throwaway(ABC):
    """A context with a running server on a free loopback port."""

    name = ""
    patience = 20  # seconds from SIGTERM to SIGKILL

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name.lower()}-"))
        self.port = free_port()
        try:
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        self._remove()

    @abstractmethod
    def command(self) -> list[str]:
        """Return what starts the server."""

    @abstractmethod
    def is_up(self) -> bool:
        """Does the server serve?"""

    def environment(self) -> Mapping[str, str] | None:
        """Return the environment of the server; None for that of this process."""
        return None

    def start(self) -> None:
        """Start the server, also again after `stop` or `kill`, on the same port and data; return when it answers."""
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start the server and do not wait for it."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def await_ready(self) -> None:
        """Wait until the server answers; end it if it does not."""
        try:
            self._await_answer()
        except BaseException:
            self.kill()
            raise

    def is_running(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        """End the server in order, or after a while as a power cut does."""
        self.thaw()
        self.process.terminate()
        try:
            self.process.wait(timeout=self.patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server, with the processes that it started, as a power cut does."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        """Let the server do nothing: connections stay open, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the server go on where it was frozen."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and to what it started: it began a process group of its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _await_answer(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.is_running():
            if self.is_up():
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=0.02)
        log = (self.folder / "log").read_text(errors="replace")
        raise RuntimeError(f"{self.name} did not start:\n{log[-4000:]}")

    def _remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
