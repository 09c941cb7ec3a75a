"""Programs that run side by side: each line of theirs gets a prefix, each end is said, and they end together."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Self

PATIENCE = 15  # seconds from the first SIGTERM to SIGKILL


class Processes:
    """The programs of one terminal: a context that leaves none of them behind."""

    def __init__(self, directory: Path, keep_open: IO[str]) -> None:
        self.directory = directory
        self.keep_open = keep_open
        self.commands: dict[str, list[str]] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.events: SimpleQueue[str | int] = SimpleQueue()  # the name of what ended, or the number of a signal
        self.output = threading.Lock()

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # ignored under nohup
                signal.signal(number, lambda number, frame: self.events.put(number))
        return self

    def __exit__(self, *error: object) -> None:
        self._signal_all(signal.SIGKILL)

    def start(self, name: str, command: list[str]) -> int:
        """Start a program in a session of its own, where the terminal's Ctrl-C does not reach it; return its pid."""
        process = subprocess.Popen(
            command,
            cwd=self.directory,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[self.keep_open.fileno()],
        )
        self.commands[name] = command
        self.running[name] = process
        copier = threading.Thread(target=self._copy_lines, args=(name, process), daemon=True)
        copier.start()
        threading.Thread(target=self._await_end, args=(name, process, copier), daemon=True).start()
        return process.pid

    def supervise(self) -> bool:
        """Wait until all have ended; say whether that was asked for, by a signal to this process."""
        asked_at = None
        while self.running:
            try:
                event = self.events.get(timeout=asked_at and max(0.0, asked_at + PATIENCE - time.monotonic()))
            except Empty:
                self._signal_all(signal.SIGKILL)
                asked_at = time.monotonic()
                continue
            if isinstance(event, str):
                self._say_end(event, self.running.pop(event), asked=asked_at is not None)
            else:
                self._signal_all(signal.SIGTERM)
                asked_at = asked_at or time.monotonic()
        return asked_at is not None

    def _signal_all(self, number: signal.Signals) -> None:
        send = os.killpg if number == signal.SIGKILL else os.kill
        for process in self.running.values():
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    send(process.pid, number)

    def _say_end(self, name: str, process: subprocess.Popen[bytes], *, asked: bool) -> None:
        again = "" if asked else f". Start it again with: {shlex.join(self.commands[name])}"
        self._write(name, f"pid {process.pid} {ending(process.returncode)}{again}".encode())

    def _copy_lines(self, name: str, process: subprocess.Popen[bytes]) -> None:
        for line in process.stdout or ():
            self._write(name, line)

    def _await_end(self, name: str, process: subprocess.Popen[bytes], copier: threading.Thread) -> None:
        """End the rest of its session with a program; while it is not reaped, its id cannot mean anybody else's."""
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        copier.join(timeout=1)  # its last words come before its end
        self.events.put(name)

    def _write(self, name: str, line: bytes) -> None:
        """Print a line; where nobody reads any more, drop it: a full pipe would stop the program that wrote it."""
        with self.output, contextlib.suppress(OSError):
            sys.stdout.buffer.write(prefixed(name, line))
            sys.stdout.buffer.flush()


def prefixed(name: str, line: bytes) -> bytes:
    return f"{name:<11} | ".encode() + line.rstrip(b"\r\n") + b"\n"


def ending(returncode: int) -> str:
    """Say how a process ended, by the code that `subprocess` gives it."""
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"
