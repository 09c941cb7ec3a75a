"""A rolling restart: one web replica after another, each out of nginx's reach while it is away."""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol


class Refused(RuntimeError):
    """Nothing was touched, because too few replicas would be left to serve."""


class Replica(Protocol):
    """A web replica."""

    @property
    def name(self) -> str: ...

    def is_ready(self) -> bool:
        """Does it serve now?"""

    def stop(self) -> None:
        """End it in order, if it runs."""

    def start(self) -> None:
        """Start it and wait until it serves; raise RuntimeError if it does not."""


class Balancer(Protocol):
    """What shares requests out among the replicas."""

    def taken_out(self) -> Collection[str]:
        """Return the names of the replicas that get no requests."""

    def take_out(self, names: Collection[str]) -> None:
        """Give these replicas, and no others, no requests; return when none is under way to them."""


def restart(replicas: Collection[Replica], balancer: Balancer, say: Callable[[str], None] = print) -> None:
    """Restart the replicas one by one, with no error for anybody; also after this was interrupted."""
    for replica in in_order(replicas, balancer.taken_out()):
        check_others(replica.name, {other.name: other.is_ready() for other in replicas if other.name != replica.name})
        balancer.take_out({replica.name})
        replica.stop()
        replica.start()
        balancer.take_out(())
        say(f"{replica.name} restarted")


def in_order(replicas: Collection[Replica], taken_out: Collection[str]) -> list[Replica]:
    """Return the replicas, first the one that an interrupted restart has left taken out."""
    return sorted(replicas, key=lambda replica: replica.name not in taken_out)


def check_others(name: str, are_ready: Mapping[str, bool]) -> None:
    """Refuse to take a replica from those that are left while one of these does not serve, or there is none."""
    away = sorted(other for other, is_ready in are_ready.items() if not is_ready)
    if away:
        raise Refused(
            f"{' and '.join(away)} cannot serve, so {name} is not restarted: start it first, then repeat this."
        )
    if not are_ready:
        raise Refused(f"There is no other replica that could serve while {name} restarts.")
