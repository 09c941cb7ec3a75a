"""The web half of the cluster, as a rolling restart sees it."""

from collections.abc import Collection
from dataclasses import dataclass

from deploy.cluster_processes import bring_up, end
from deploy.cluster_programs import FOLDER, REPLICAS, Program, State, addresses, programs
from deploy.servers import nginx


@dataclass(frozen=True)
class Replica:
    """One web replica of the cluster."""

    program: Program
    kept: State

    @property
    def name(self) -> str:
        return self.program.name

    def is_ready(self) -> bool:
        return self.program.daemon.pid is not None and self.program.is_up()

    def stop(self) -> None:
        end([self.program])

    def start(self) -> None:
        if not bring_up([self.program], self.kept):
            raise RuntimeError(f"{self.name} stays out of nginx. Mend it, then: deploy/cluster restart {self.name}")


@dataclass(frozen=True)
class Nginx:
    """The nginx of the cluster."""

    program: Program
    kept: State

    def taken_out(self) -> Collection[str]:
        return nginx.taken_out(FOLDER / "nginx")

    def take_out(self, names: Collection[str]) -> None:
        nginx.write_servers(FOLDER / "nginx", addresses(self.kept), names)
        if pid := self.program.daemon.pid:
            nginx.reload(FOLDER / "nginx", pid)


def replicas(kept: State) -> list[Replica]:
    known = programs(kept)
    return [Replica(known[name], kept) for name in REPLICAS]


def balancer(kept: State) -> Nginx:
    return Nginx(programs(kept)["nginx"], kept)


def put_back(kept: State) -> None:
    """Give those replicas requests again that an interrupted rolling restart has taken out, and that serve."""
    before = balancer(kept)
    out = set(before.taken_out())
    still = {replica.name for replica in replicas(kept) if not replica.is_ready()} & out
    if still != out:
        before.take_out(still)
