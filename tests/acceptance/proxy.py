"""A TCP proxy that a test can silence: connections stay open, and nothing passes."""

import contextlib
import select
import socket
import threading


class Proxy:
    """Forwards a loopback port to another. While it is silent, bytes wait, and are lost when it speaks again."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.speaks = threading.Event()
        self.speaks.set()
        self.closed = threading.Event()
        self.links: list[socket.socket] = []

    def __enter__(self) -> "Proxy":
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self._welcome, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closed.set()
        self.speaks.set()
        self.door.close()
        self._drop()

    def silence(self) -> None:
        """Let nothing pass any more, in neither direction; nobody is told."""
        self.speaks.clear()

    def speak(self) -> None:
        """Drop the connections that were silenced, and let new ones pass."""
        self._drop()
        self.speaks.set()

    def _drop(self) -> None:
        links, self.links = self.links, []
        for link in links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def _welcome(self) -> None:
        while not self.closed.is_set():
            with contextlib.suppress(OSError):
                caller, _address = self.door.accept()
                threading.Thread(target=self._connect, args=(caller,), daemon=True).start()

    def _connect(self, caller: socket.socket) -> None:
        self.links.append(caller)
        with contextlib.suppress(OSError), caller:
            self.speaks.wait()
            with socket.create_connection(("127.0.0.1", self.target)) as server:
                self.links.append(server)
                self._pass_on(caller, server)

    def _pass_on(self, caller: socket.socket, server: socket.socket) -> None:
        other = {caller: server, server: caller}
        while not self.closed.is_set():
            for ready in select.select([caller, server], [], [], 0.5)[0]:
                received = ready.recv(65536)
                if not received:
                    return
                self.speaks.wait()
                other[ready].sendall(received)
