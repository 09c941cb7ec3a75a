"""Requests at a fixed rate, whatever becomes of them: each on a connection of its own, so that no failure is hidden."""

import contextlib
import http.client
import itertools
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Self
from urllib.parse import urlsplit

PATIENCE = 20  # seconds for one answer


class Stream:
    """A context that sends requests, in turn of each kind ("GET /path"), `rate` a second."""

    def __init__(self, url: str, kinds: list[str], rate: float) -> None:
        self.url = url
        self.kinds = kinds
        self.rate = rate
        self._answers: list[tuple[str, int]] = []

    def __enter__(self) -> Self:
        self._end = threading.Event()
        self._senders = ThreadPoolExecutor(64)
        self._clock = threading.Thread(target=self._send_all)
        self._clock.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._clock.join()
        self._senders.shutdown()

    @property
    def answers(self) -> Counter[tuple[str, int]]:
        """Count the answers until now by kind and code."""
        return Counter(self._answers)

    def _send_all(self) -> None:
        began = time.monotonic()
        for number, kind in enumerate(itertools.cycle(self.kinds)):
            if self._end.wait(max(0.0, began + number / self.rate - time.monotonic())):
                return
            self._senders.submit(self._send, *kind.split())

    def _send(self, method: str, path: str) -> None:
        self._answers.append((f"{method} {path}", ask(self.url + path, method)[0]))


def ask(
    url: str, method: str = "GET", *, headers: dict[str, str] | None = None, body: bytes | None = None, source: str = ""
) -> tuple[int, str, dict[str, str]]:
    """Return code, body and headers of an answer; code 0 if there is none."""
    address = urlsplit(url)
    assert address.hostname
    connection = http.client.HTTPConnection(
        address.hostname, address.port, timeout=PATIENCE, source_address=(source, 0) if source else None
    )
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request(method, f"{address.path}?{address.query}", headers=headers or {}, body=body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace"), dict(answer.getheaders())
    return 0, "", {}
