"""Three throw-away ZooKeepers that elect a leader."""

import contextlib
from collections.abc import Sequence
from typing import Self

from deploy.servers.ports import free_port
from deploy.servers.zookeeper import ZooKeeper, four_letter

SIZE = 3
SMALL = ("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class Member(ZooKeeper):
    """One server of an ensemble; alone it is up, but does not serve."""

    def __init__(self, number: int, servers: Sequence[str]) -> None:
        super().__init__(tick_time=1000, jvm_options=SMALL, settings=["initLimit=10", "syncLimit=5", *servers])
        self.number = number

    def start(self) -> None:
        """Start the server; whoever has started enough of them waits."""
        self.launch()

    def command(self) -> list[str]:
        tree = self.folder / "tree"
        tree.mkdir(exist_ok=True)
        (tree / "myid").write_text(f"{self.number}\n")
        return super().command()

    def mode(self) -> str:
        """Return leader or follower; an empty text of a server that does not serve."""
        with contextlib.suppress(OSError):
            answer = four_letter(self.port, "srvr")
            return next((line[6:] for line in answer.splitlines() if line.startswith("Mode: ")), "")
        return ""

    def is_up(self) -> bool:
        return self.mode() in ("leader", "follower")


class Ensemble:
    """A context with the running servers."""

    def __init__(self) -> None:
        servers = [f"server.{number}=127.0.0.1:{free_port()}:{free_port()}" for number in range(1, SIZE + 1)]
        self.members = [Member(number, servers) for number in range(1, SIZE + 1)]

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

    def await_ready(self) -> None:
        """Wait until all serve."""
        for member in self.members:
            member.await_ready()

    def leader(self) -> Member:
        """Return the server that leads; any of them while none does."""
        return next((member for member in self.members if member.mode() == "leader"), self.members[0])
