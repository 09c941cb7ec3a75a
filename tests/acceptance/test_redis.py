"""The throw-away Redis: it keeps its keys through a restart, and can be frozen and emptied."""

import socket

import pytest

from deploy.servers import redis
from deploy.servers.redis import Redis

pytestmark = pytest.mark.acceptance


@pytest.fixture
def server():
    with Redis() as lent:
        yield lent


def test_its_keys_outlive_a_restart_and_a_kill(server):
    assert redis.ask(server.port, "SET login 1") == "+OK"
    server.stop()
    assert not server.is_up()
    server.start()
    assert redis.ask(server.port, "EXISTS login") == ":1"
    server.kill()
    server.start()
    assert redis.ask(server.port, "EXISTS login") == ":1"


def test_flushed_it_has_forgotten_its_keys(server):
    redis.ask(server.port, "SET login 1")
    server.flush()
    assert redis.ask(server.port, "EXISTS login") == ":0"


def test_frozen_it_takes_connections_and_says_nothing(server):
    server.freeze()
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.3) as client:
        client.sendall(b"PING\r\n")
        with pytest.raises(TimeoutError):
            client.recv(1)
    server.thaw()
    assert server.is_up()


def test_a_frozen_one_leaves_nothing_behind():
    with Redis() as server:
        server.freeze()
    assert not server.is_running()
    assert not server.folder.exists()


def test_it_throws_no_session_away_when_its_memory_is_full(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b"CONFIG GET maxmemory-policy\r\n")
        assert b"noeviction" in client.recv(4096)


def test_the_settings_for_production_can_be_read():
    settings = redis.SETTINGS.read_text()
    assert {"appendonly yes", "maxmemory-policy noeviction", "bind 127.0.0.1"} <= set(settings.splitlines())
    with Shipped() as server:
        assert redis.ask(server.port, "FLUSHALL").startswith("-ERR unknown command")


class Shipped(Redis):
    """A Redis with the settings for production, but for port and folder."""

    def command(self) -> list[str]:
        program, *_options = super().command()
        return [program, str(redis.SETTINGS), "--port", str(self.port), "--dir", str(self.folder)]
