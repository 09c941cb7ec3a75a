"""A throw-away ZooKeeper on a free loopback port; as a command it lends its REGISTRY_URL to another command:

python -m deploy.servers.zookeeper -- .venv/bin/python manage.py runscheduler
"""

import contextlib
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.servers.throwaway import Throwaway, lend

JARS = "/usr/share/java"
MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
NAMESPACE = "data-archive-job"
LOGGING = (  # to the standard error output; an option that comes later wins
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS",
)
TALKATIVE = "-Dorg.slf4j.simpleLogger.defaultLogLevel=info"


class ZooKeeper(Throwaway):
    """A context with a running server and an empty tree, that leaves neither process nor file."""

    name = "ZooKeeper"

    def __init__(
        self, *, tick_time: int = 500, jvm_options: Sequence[str] = ("-Xmx128m",), settings: Sequence[str] = ()
    ) -> None:
        self.jvm_options = jvm_options
        # A power cut may lose what is thrown away anyway.
        self.settings = [f"tickTime={tick_time}", "forceSync=no", *settings]

    @property
    def hosts(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, namespace: str = NAMESPACE) -> str:
        """Return the REGISTRY_URL of a namespace."""
        return f"zookeeper://{self.hosts}/{namespace}"

    def command(self) -> list[str]:
        return command(self.folder, self.port, self.settings, self.jvm_options)

    def is_up(self) -> bool:
        return is_up(self.port)

    def wipe(self) -> None:
        """Forget all data of a server that does not run."""
        shutil.rmtree(self.folder / "tree", ignore_errors=True)

    def four_letter(self, word: str) -> str:
        """Return the answer to a command such as mntr."""
        return four_letter(self.port, word)


def command(
    folder: Path, port: int, settings: Sequence[str] = (), jvm_options: Sequence[str] = ("-Xmx128m",)
) -> list[str]:
    """Write the configuration of a server whose tree is in a folder, and return what starts it."""
    lines = [
        f"dataDir={folder / 'tree'}",
        f"clientPort={port}",
        "clientPortAddress=127.0.0.1",
        "minSessionTimeout=1000",
        "maxSessionTimeout=40000",
        "maxClientCnxns=0",
        "admin.enableServer=false",
        "4lw.commands.whitelist=mntr,ruok,srvr",
        *settings,
    ]
    (folder / "zoo.cfg").write_text("\n".join(lines) + "\n")
    return [java(), *LOGGING, *jvm_options, "-cp", class_path(), MAIN, str(folder / "zoo.cfg")]


def is_up(port: int) -> bool:
    """Does the server serve?"""
    with contextlib.suppress(OSError):
        return "Mode: standalone" in four_letter(port, "srvr")
    return False


def four_letter(port: int, word: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(word.encode())
        with client.makefile() as answer:
            return answer.read()


def java() -> str:
    found = shutil.which("java")
    if found is None or not (Path(JARS) / "zookeeper.jar").exists():
        raise FileNotFoundError("java or zookeeper is not installed: `make setup` installs them")
    return found


def class_path() -> str:
    """Return the server, which names what it needs itself, one of the folder's many loggers, and what TLS needs."""
    netty = sorted(str(path) for path in Path(JARS).glob("netty-*.jar"))
    return ":".join([f"{JARS}/zookeeper.jar", f"{JARS}/slf4j-simple.jar", *netty])


if __name__ == "__main__":
    server = ZooKeeper()
    sys.exit(lend(server, lambda: {"REGISTRY_URL": server.url()}, str(__doc__)))
