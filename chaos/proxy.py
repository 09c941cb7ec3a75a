"""A TCP proxy between one scheduler and some servers: it can hold each direction on its own, slow both, and cut."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

from deploy.servers.ports import free_port

CHUNK = 65536
DIRECTIONS = ("up", "down")


class Lane:
    """One direction of a link: bytes pass at once, late, or not before it is mended."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.delay = 0.0

    def await_passage(self) -> None:
        """Return when what has arrived by now may go on."""
        if self.delay:
            time.sleep(self.delay)
        self.open.wait()


class Link:
    """A context with a door, a loopback port, for each of the servers; what is done to the link, all doors feel."""

    def __init__(self, targets: Sequence[int]) -> None:
        self.targets = targets
        self.lanes = {direction: Lane() for direction in DIRECTIONS}
        self.is_cut = False
        self.is_closed = False
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self.ports = [free_port() for _target in self.targets]
        self._doors = [socket.create_server(("127.0.0.1", port)) for port in self.ports]
        for door, target in zip(self._doors, self.targets, strict=True):
            _start(lambda door=door, target=target: self._welcome(door, target))  # type: ignore[misc]
        return self

    def __exit__(self, *error: object) -> None:
        self.is_closed = True
        for door in self._doors:
            _shut(door)
        self.mend()
        self._drop()

    def hold(self, *directions: str) -> None:
        """Let nothing pass in these directions; connections stay open, and nobody is told."""
        for direction in directions:
            self.lanes[direction].open.clear()

    def delay(self, seconds: float) -> None:
        """Let everything pass late, in both directions."""
        for lane in self.lanes.values():
            lane.delay = seconds

    def cut(self) -> None:
        """End all connections, and every new one at once."""
        self.is_cut = True
        self._drop()

    def mend(self) -> None:
        """Let everything pass again; what was held arrives now."""
        self.is_cut = False
        self.delay(0.0)
        for lane in self.lanes.values():
            lane.open.set()

    def _drop(self) -> None:
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            _shut(each)

    def _welcome(self, door: socket.socket, target: int) -> None:
        while not self.is_closed:
            try:
                caller, _address = door.accept()
            except OSError:
                return
            _start(lambda caller=caller: self._connect(caller, target))  # type: ignore[misc]

    def _connect(self, caller: socket.socket, target: int) -> None:
        with contextlib.suppress(OSError), caller:
            if self.is_cut:
                return
            self.lanes["up"].await_passage()
            with socket.create_connection(("127.0.0.1", target), timeout=5) as server:
                server.settimeout(None)
                for each in (caller, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._join(caller, server)

    def _join(self, caller: socket.socket, server: socket.socket) -> None:
        with self._lock:
            self._sockets |= {caller, server}
        back = _start(lambda: _pass_on(server, caller, self.lanes["down"]))
        try:
            if not self.is_cut:
                _pass_on(caller, server, self.lanes["up"])
        finally:
            _shut(server)
            back.join()
            with self._lock:
                self._sockets -= {caller, server}


def _pass_on(source: socket.socket, sink: socket.socket, lane: Lane) -> None:
    with contextlib.suppress(OSError):
        while received := source.recv(CHUNK):
            lane.await_passage()
            sink.sendall(received)
    lane.open.wait()  # that a connection has ended is not told either while nothing passes
    _shut(sink)


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)


def _start(run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
