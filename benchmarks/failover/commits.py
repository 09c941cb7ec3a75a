"""A TCP proxy before MariaDB that loses a commit or the answer to it, and ends the connection."""

import contextlib
import select
import socket
import threading
from dataclasses import dataclass, field
from typing import Self

CHUNK = 65536
COMMIT = b"\x03COMMIT"
"""The whole of a packet but for its length: the command for a statement, and the statement."""

MARK = b"INSERT INTO `scheduling_marker`"
HOLD_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Loss:
    """What becomes of the commit of the next marker whose statement has `text`; `cut` ends the connection."""

    text: bytes
    arrives: bool = True
    held: threading.Event = field(default_factory=threading.Event)
    """The client waits for an answer: the commit is done, or has not arrived."""
    cut: threading.Event = field(default_factory=threading.Event)


class Commits:
    """A context with a port of its own; all that it does not lose passes."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._losses: list[Loss] = []

    def __enter__(self) -> Self:
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        threading.Thread(target=self._welcome, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def lose(self, loss: Loss) -> Loss:
        """Lose one commit, or the answer to it."""
        self._losses.append(loss)
        return loss

    def forget(self) -> None:
        """Lose nothing that is not lost yet."""
        self._losses.clear()

    def _welcome(self) -> None:
        while True:
            try:
                caller, _address = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(caller,), daemon=True).start()

    def _connect(self, caller: socket.socket) -> None:
        with contextlib.suppress(OSError), caller, socket.create_connection(("127.0.0.1", self._target)) as server:
            for each in (caller, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pass_on(caller, server)

    def _pass_on(self, caller: socket.socket, server: socket.socket) -> None:
        loss = None
        while True:
            for ready in select.select([caller, server], [], [])[0]:
                received = ready.recv(CHUNK)
                if not received:
                    return
                if ready is caller:
                    loss = loss or self._taken(received)
                    if loss and received.endswith(COMMIT):
                        _lose(loss, received, server)
                        return
                (server if ready is caller else caller).sendall(received)

    def _taken(self, received: bytes) -> Loss | None:
        """Return the loss that this connection is chosen for; each is for one."""
        for loss in self._losses:
            if MARK in received and loss.text in received:
                self._losses.remove(loss)
                return loss
        return None


def _lose(loss: Loss, commit: bytes, server: socket.socket) -> None:
    if loss.arrives:
        server.sendall(commit)
        server.recv(CHUNK)  # the answer: it is done
    loss.held.set()
    loss.cut.wait(HOLD_SECONDS)
