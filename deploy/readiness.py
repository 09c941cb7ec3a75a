"""Whether a web replica can take requests, by asking it."""

import contextlib
import http.client


def is_ready(port: int) -> bool:
    """Does the replica on this port say that it is ready? One without /readyz is when it is alive."""
    answer = status(port, "/readyz")
    return (status(port, "/healthz") if answer == 404 else answer) == 200


def status(port: int, path: str) -> int:
    """Return the code of an answer of this machine; 0 if there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status
    return 0
