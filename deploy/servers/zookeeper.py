"""A throw-away ZooKeeper on a free loopback port; as a command it lends its REGISTRY_URL to another command:

python -m deploy.servers.zookeeper -- .venv/bin/python manage.py runscheduler
"""

import contextlib
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from deploy.servers.ports import free_port
from deploy.servers.throwaway import Throwaway, lend

JARS = "/usr/share/java"
MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
NAMESPACE = "data-archive-job"
LOGGING = (  # to the standard error output; an option that comes later wins
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS",
)
SMALL = ("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
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

    def keep(self) -> None:
        """Take a copy of all data, as a backup; best of a server that does not run."""
        shutil.copytree(self.folder / "tree", self.folder / "kept", dirs_exist_ok=True)

    def restore(self) -> None:
        """Give a server that does not run the data that were kept."""
        self.wipe()
        shutil.copytree(self.folder / "kept", self.folder / "tree")

    def four_letter(self, word: str) -> str:
        """Return the answer to a command such as mntr."""
        return four_letter(self.port, word)


class Member(ZooKeeper):
    """One server of an ensemble: it serves when most of the others run."""

    def __init__(self, number: int, servers: Sequence[str]) -> None:
        super().__init__(jvm_options=SMALL, settings=["initLimit=10", "syncLimit=5", *servers])
        self.number = number

    def start(self) -> None:
        """Start the server and do not wait for it: alone it would never serve."""
        self.launch()

    def command(self) -> list[str]:
        tree = self.folder / "tree"
        tree.mkdir(exist_ok=True)
        (tree / "myid").write_text(str(self.number))
        return super().command()

    def is_up(self) -> bool:
        return bool(self.mode())

    def mode(self) -> str:
        """Return leader or follower; an empty text of a server that does not serve."""
        with contextlib.suppress(OSError):
            lines = self.four_letter("srvr").splitlines()
            return next((line.removeprefix("Mode: ") for line in lines if line.startswith("Mode: ")), "")
        return ""


class Ensemble:
    """A context with three running servers, which elect one of them."""

    def __init__(self) -> None:
        servers = [f"server.{number}=127.0.0.1:{free_port()}:{free_port()}" for number in (1, 2, 3)]
        self.members = [Member(number, servers) for number in (1, 2, 3)]

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for member in self.members:
                stack.enter_context(member)
            self.await_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def ports(self) -> list[int]:
        return [member.port for member in self.members]

    @property
    def hosts(self) -> str:
        return ",".join(member.hosts for member in self.members)

    def url(self, namespace: str = NAMESPACE) -> str:
        """Return the REGISTRY_URL of a namespace."""
        return f"zookeeper://{self.hosts}/{namespace}"

    def await_ready(self) -> None:
        """Wait until all serve."""
        for member in self.members:
            member.await_ready()

    def leader(self) -> Member:
        """Return the server that the others follow; any of them while they elect one."""
        return next((member for member in self.members if member.mode() == "leader"), self.members[0])


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
