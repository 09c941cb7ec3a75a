"""What systemd does with units, where there is none: a `systemctl` for scripts, and the processes of the units."""

import contextlib
import os
import shlex
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Self

CLEAN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
SYSTEMCTL = """#!{python}
import socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({address!r})
    asked.sendall("\\0".join(sys.argv[1:]).encode() + b"\\n")
    sys.exit(asked.makefile().read() or None)
"""


@dataclass(frozen=True)
class Unit:
    """A unit file, read for one instance of it."""

    settings: dict[str, list[str]]

    @classmethod
    def read(cls, path: Path, instance: str) -> Self:
        """Read a unit; of the specifiers those that the project's units use."""
        specifiers = {"%i": instance, "%l": socket.gethostname().split(".")[0]}
        text = path.read_text().replace("\\\n", " ")
        for specifier, value in specifiers.items():
            text = text.replace(specifier, value)
        settings = defaultdict(list)
        for line in text.splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                settings[name].append(value)
        return cls(dict(settings))

    def get(self, name: str, default: str = "") -> str:
        return self.settings.get(name, [default])[-1]

    def environment(self) -> dict[str, str]:
        """Return what a process of it sees: nothing of ours."""
        files = [Path(name).read_text().splitlines() for name in self.settings.get("EnvironmentFile", ())]
        lines = [*self.settings.get("Environment", ()), *(line for file in files for line in file)]
        return CLEAN | dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    @property
    def seconds_to_stop(self) -> float:
        return float(self.get("TimeoutStopSec", "90")) or 90


class Systemd:
    """A context with a `systemctl` in `folder`/bin; it ends all that was started by it."""

    def __init__(self, folder: Path, places: Sequence[Path]) -> None:
        self.folder = folder
        self.places = places
        self.log = folder / "journal"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        address = str(self.folder / "systemd")
        systemctl = self.folder / "bin" / "systemctl"
        systemctl.parent.mkdir(exist_ok=True)
        systemctl.write_text(SYSTEMCTL.format(python=sys.executable, address=address))
        systemctl.chmod(0o755)
        self._server = socketserver.UnixStreamServer(address, self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for _template, names in groupby(reversed(list(self.processes)), lambda name: name.partition("@")[0]):
            self.stop(*names)

    def pid(self, name: str) -> int:
        """Return the main process of a unit that runs."""
        process = self.processes[name]
        assert process.poll() is None, f"{name} has ended with {process.returncode}"
        return process.pid

    def obey(self, words: list[str]) -> None:
        """Do what `systemctl` is told."""
        verb, *names = [word for word in words if not word.startswith("--")]
        act: dict[str, Callable[[str], None]]
        act = {"enable": self.start, "disable": self.stop, "reload": self.reload, "restart": self.restart}
        if verb != "daemon-reload":
            for name in names:
                act[verb](name)

    def start(self, name: str) -> None:
        """Start a unit; return when it says that it is ready, if it is one that does."""
        unit = self.unit(name)
        with self.log.open("ab") as log, told(unit.get("Type") == "notify") as (env, wait):
            self.processes[name] = subprocess.Popen(
                shlex.split(unit.get("ExecStart")),
                env=unit.environment() | env,
                cwd=unit.get("WorkingDirectory", "/"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            wait()

    def stop(self, *names: str) -> None:
        """End units together: in order, or at once when they do not end in the time of their files."""
        ending = {name: self.processes.pop(name) for name in names if name in self.processes}
        for process in ending.values():
            process.terminate()
        for name, process in ending.items():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.unit(name).seconds_to_stop)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def restart(self, name: str) -> None:
        self.stop(name)
        self.start(name)

    def reload(self, name: str) -> None:
        command = self.unit(name).get("ExecReload").replace("$MAINPID", str(self.pid(name)))
        subprocess.run(shlex.split(command), check=True)

    def unit(self, name: str) -> Unit:
        """Read the file of a unit; what comes after an @ is its instance."""
        template, at, instance = name.partition("@")
        found = [place / f"{template}{at}.service" for place in self.places]
        return Unit.read(next(path for path in found if path.exists()), instance)

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        obey = self.obey

        class Handler(socketserver.StreamRequestHandler):
            """One call of `systemctl`, whose answer is what went wrong."""

            def handle(self) -> None:
                try:
                    obey(self.rfile.readline().decode().rstrip("\n").split("\0"))
                except Exception as error:
                    self.wfile.write(repr(error).encode())

        return Handler


@contextlib.contextmanager
def told(notifies: bool):
    """Lend the environment for a process that says when it is ready, and a function that waits for that."""
    if not notifies:
        yield {}, lambda: None
        return
    with (
        tempfile.TemporaryDirectory() as folder,  # the path of a socket has at most 107 bytes
        contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as ear,
    ):
        ear.bind(f"{folder}/notify")
        ear.settimeout(90)

        def wait() -> None:
            while b"READY=1" not in ear.recv(4096):
                pass

        yield {"NOTIFY_SOCKET": f"{folder}/notify"}, wait
