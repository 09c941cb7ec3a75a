"""What the throw-away servers have in common: a process with a scratch folder, that leaves neither behind."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from deploy.servers.ports import free_port


class Throwaway(ABC):
    """A context with a running server on a free loopback port."""

    name = ""

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

    def start(self) -> None:
        """Start the server, also again after `stop` or `kill`, on the same port and data; return when it answers."""
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._await_answer()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End the server in order, or after a while as a power cut does."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server as a power cut does."""
        self.process.kill()
        self.process.wait()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.is_up():
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=0.02)
        log = (self.folder / "log").read_text(errors="replace")
        raise RuntimeError(f"{self.name} did not start:\n{log[-4000:]}")

    def _remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
