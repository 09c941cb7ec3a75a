"""Registries whose sessions a test can end, and raw clients that look behind them."""

import contextlib
import time

from kazoo.client import KazooClient

from scheduling.zookeeper.address import parse_address
from scheduling.zookeeper.registry import ZooKeeperRegistry

SECONDS = 20


def eventually(check, what):
    """Return the first true answer."""
    deadline = time.monotonic() + SECONDS
    while not (answer := check()):
        assert time.monotonic() < deadline, f"not within {SECONDS} s: {what}"
        time.sleep(0.02)
    return answer


@contextlib.contextmanager
def raw(server, **options):
    """Lend a client that knows nothing of the product."""
    client = KazooClient(server.hosts, timeout=10, **options)
    client.start(timeout=SECONDS)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def expire(server, registry):
    """End a session on the server, and wait until its client has a new one."""
    client = registry._client._client
    session = client.client_id
    with raw(server, client_id=session):
        pass
    eventually(lambda: client.connected and client.client_id and client.client_id[0] != session[0], "a new session")


class Sessions:
    """Registries of one namespace, on a clock of the test's own: a session that does not beat is ended by force."""

    def __init__(self, server, url):
        self.server = server
        self.url = url
        self.seconds = 0.0
        self.registries = []

    def connect(self):
        self.registries.append(TimedRegistry(self))
        return self.registries[-1]

    def advance(self, seconds):
        self.seconds += seconds
        for registry in self.registries:
            if registry.heard_at is not None and self.seconds - registry.heard_at > registry.session_timeout:
                registry.heard_at = None
                expire(self.server, registry)

    def close(self):
        for registry in self.registries:
            registry.leave()


class TimedRegistry(ZooKeeperRegistry):
    """Notes when the test's clock last heard of its session."""

    def __init__(self, sessions):
        super().__init__(parse_address(sessions.url), wake=lambda: None)
        self.sessions = sessions
        self.heard_at = None

    def register(self, instance):
        super().register(instance)
        self.heard_at = self.sessions.seconds

    def beat(self):
        super().beat()
        self.heard_at = self.sessions.seconds

    def leave(self):
        super().leave()
        self.heard_at = None
