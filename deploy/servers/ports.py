"""Ports that nobody uses."""

import random
import socket

CANDIDATES = range(10_000, 32_000)
"""Below those that Linux gives to outgoing connections, one of which could have the port before a server does."""

TRIES = 100


def free_port() -> int:
    """Return a loopback port that is free now, and stays so but for another server."""
    for port in random.SystemRandom().sample(CANDIDATES, TRIES):
        if _is_free(port):
            return port
    raise RuntimeError(f"No port is free among {TRIES} of {CANDIDATES.start}-{CANDIDATES.stop}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
