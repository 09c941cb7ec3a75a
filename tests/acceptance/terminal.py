"""A terminal in a folder of its own, with a clean environment, that leaves no process behind when it is closed."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from tests.acceptance.site import eventually

KEPT = ("HOME", "PATH", "PYTHON")  # PYTHON names the interpreter where PATH has none that is new enough
PATIENCE = 20  # seconds from SIGTERM to SIGKILL


class Program:
    """A program in a session of its own, whose output goes to a file."""

    def __init__(self, command: list[str], *, folder: Path, env: dict[str, str], log: Path) -> None:
        self.command = command
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def signal_group(self, number: int) -> None:
        """Send a signal to its whole group, as the terminal's Ctrl-C does; not once it has been waited for."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def wait(self, timeout: float) -> int:
        return self.process.wait(timeout)


class Terminal:
    """What a person does in one folder. All output is printed at the end: pytest shows it where the test failed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir()
        self.logs = folder.with_name(f"{folder.name}-logs")
        self.logs.mkdir()
        self.env = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("PIP_")}
        self.programs: list[Program] = []

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._end_all()
        finally:
            for program in self.programs:
                print(f"$ {' '.join(program.command)}\n{program.output[-20_000:]}")

    def start(self, *command: str, **variables: str) -> Program:
        """Start a program, and go on."""
        log = self.logs / f"{len(self.programs):02}"
        self.programs.append(Program(list(command), folder=self.folder, env=self.env | variables, log=log))
        return self.programs[-1]

    def run(self, *command: str, timeout: float = 120, exit_code: int = 0, **variables: str) -> str:
        """Run a program to its end and return its output."""
        program = self.start(*command, **variables)
        assert program.wait(timeout) == exit_code, f"{' '.join(command)}\n{program.output}"
        return program.output

    def processes(self) -> dict[int, str]:
        """Return the processes that work in this folder, whoever started them: pid → command."""
        found = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and (entry / "cwd").readlink().is_relative_to(self.folder):
                    found[int(entry.name)] = (entry / "cmdline").read_text(errors="replace").replace("\0", " ")
        return found

    def _end_all(self) -> None:
        for program in self.programs:
            program.signal_group(signal.SIGTERM)
        with contextlib.suppress(AssertionError):
            eventually(lambda: not self.processes(), PATIENCE, "all have ended")
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for program in self.programs:
            program.signal_group(signal.SIGKILL)
            program.wait(PATIENCE)
