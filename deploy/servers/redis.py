"""A throw-away Redis on a free loopback port; as a command it lends its REDIS_URL to another command:

python -m deploy.servers.redis -- .venv/bin/python manage.py runserver
"""

import contextlib
import socket
import sys
from pathlib import Path

from deploy.install import ROOT
from deploy.servers.programs import program
from deploy.servers.throwaway import Throwaway, lend

SETTINGS = ROOT / "deploy" / "redis" / "redis.conf"  # for production


class Redis(Throwaway):
    """A context with a running server and no keys, that leaves neither process nor file."""

    name = "Redis"

    @property
    def url(self) -> str:
        """Return the REDIS_URL."""
        return url(self.port)

    def command(self) -> list[str]:
        return command(self.folder, self.port)

    def is_up(self) -> bool:
        return is_up(self.port)

    def flush(self) -> None:
        """Forget all keys."""
        said = ask(self.port, "FLUSHALL")
        if said != "+OK":
            raise RuntimeError(f"FLUSHALL: {said}")


def command(folder: Path, port: int) -> list[str]:
    """Return what starts the server whose data are in a folder."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    settings = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(data),
        "appendonly": "yes",  # a restart logs nobody out,
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",  # and a full memory throws no session away
    }
    return [program("redis-server"), *(word for name, value in settings.items() for word in (f"--{name}", value))]


def is_up(port: int) -> bool:
    """Does the server answer, with its data loaded?"""
    with contextlib.suppress(OSError):
        return ask(port, "PING") == "+PONG"
    return False


def ask(port: int, word: str) -> str:
    """Return the first line of the answer to a command of one word."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(f"{word}\r\n".encode())
        with client.makefile() as answer:
            return answer.readline().rstrip()


def url(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


if __name__ == "__main__":
    server = Redis()
    sys.exit(lend(server, lambda: {"REDIS_URL": server.url}, str(__doc__)))
