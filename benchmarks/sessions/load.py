"""Asks replicas in turns for one page, over connections that stay open; prints how many answers a second each gave.

A process of its own, which imports little, so that it costs the replicas nothing:
python -m benchmarks.sessions.load PATH SLICES PORT:COOKIE,COOKIE...     (one connection for each cookie)
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Sequence

SLICE = 0.12
"""Seconds of one turn: what else the machine does meanwhile lasts longer, and so is shared by all."""


class Replica:
    """One replica that is asked, with its connections."""

    def __init__(self, path: str, port: int, cookies: Sequence[str]) -> None:
        self.count, self.seconds = 0, 0.0
        self.selector = selectors.DefaultSelector()
        for cookie in cookies:
            connection = socket.create_connection(("127.0.0.1", port))
            request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: sessionid={cookie}\r\n\r\n"
            self.selector.register(connection, selectors.EVENT_READ, request.encode())

    def take_turn(self) -> None:
        """Ask on all connections, and ask again whoever answers, for a while; wait for the last answers."""
        began = time.perf_counter()
        keys = list(self.selector.get_map().values())
        for key in keys:
            self._ask(key)
        under_way = len(keys)
        while under_way:
            for key, _ in self.selector.select():
                assert isinstance(key.fileobj, socket.socket)
                read_answer(key.fileobj)
                self.count += 1
                if time.perf_counter() < began + SLICE:
                    self._ask(key)
                else:
                    under_way -= 1
        self.seconds += time.perf_counter() - began

    @staticmethod
    def _ask(key: selectors.SelectorKey) -> None:
        assert isinstance(key.fileobj, socket.socket)
        key.fileobj.sendall(key.data)


def main(path: str, slices: int, targets: Sequence[str]) -> None:
    replicas = [
        Replica(path, int(port), cookies.split(",")) for port, _, cookies in (t.partition(":") for t in targets)
    ]
    for number in range(slices + 1):
        for replica in replicas:
            replica.take_turn()
            if number == 0:  # warm by now
                replica.count, replica.seconds = 0, 0.0
    print(json.dumps([replica.count / replica.seconds for replica in replicas]))


def read_answer(connection: socket.socket) -> None:
    """Read one whole answer, and insist that it is a page."""
    received = b""
    while not is_whole(received):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("The replica has closed a connection.")
        received += piece
    if not received.startswith(b"HTTP/1.1 200 "):
        raise ValueError(f"The replica does not answer with a page: {received[:200]!r}")


def is_whole(received: bytes) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    return bool(end) and len(body) >= int(length)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
