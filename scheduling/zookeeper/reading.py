"""What the nodes of a tree say: a `Cluster`, and which of them none of us has written."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from scheduling.domain.cluster import Cluster
from scheduling.domain.documents import (
    instance_from_document,
    job_from_document,
    owners_from_document,
    read,
)
from scheduling.domain.instance import Instance, unreadable
from scheduling.domain.job import Job
from scheduling.zookeeper.mirror import Node, Tree

logger = logging.getLogger("scheduling.zookeeper")

CANDIDATE = re.compile(r"(.+)-(\d{10})")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leadership:
    """The node by which an instance leads."""

    instance: str
    name: str
    epoch: int


class Documents(Generic[Value]):
    """One folder's nodes as values; each is parsed once, and one that cannot be is logged once."""

    def __init__(self, what: str, parse: Callable[[str, dict[str, Any]], Value]) -> None:
        self.values: dict[str, Value] = {}
        self._what = what
        self._parse = parse
        self._nodes: Mapping[str, Node] = {}
        self._parsed: dict[str, tuple[Node, Value | None]] = {}

    def read(self, nodes: Mapping[str, Node]) -> None:
        """Take the folder's nodes; `values` stays the same object where they have not changed."""
        if nodes is self._nodes:
            return
        self._parsed = {name: self._parse_once(name, node) for name, node in nodes.items()}
        self.values = {name: value for name, (_node, value) in self._parsed.items() if value is not None}
        self._nodes = nodes

    def unread(self) -> frozenset[str]:
        """Return the names of the nodes that say nothing."""
        return frozenset(self._nodes.keys() - self.values.keys())

    def _parse_once(self, name: str, node: Node) -> tuple[Node, Value | None]:
        known = self._parsed.get(name)
        if known and known[0] == node:
            return known
        try:
            return node, self._parse(name, read(node.value))
        except Exception as error:  # whatever somebody has written there
            logger.error("the %s %s in ZooKeeper is refused: %s", self._what, name, error)
            return node, None


class Reader:
    """Reads tree after tree."""

    def __init__(self) -> None:
        self.leadership: Leadership | None = None
        self.foreign: frozenset[tuple[str, str]] = frozenset()
        """(folder, name) of the nodes that none of us has written."""
        self._instances = Documents("instance", instance_from_document)
        self._jobs: Documents[Job] = Documents("job", job_from_document)
        self._owners = Documents("assignment", lambda _job, document: owners_from_document(document))

    def read(self, tree: Tree) -> Cluster:
        """Return what a tree says."""
        self._instances.read(tree["instances"])
        self._jobs.read(tree["jobs"])
        self._owners.read(tree["assignments"])
        self.leadership = next(_leaderships(tree), None)
        self.foreign = frozenset(self._foreign(tree))
        return Cluster(
            instances=dict(self._living(tree["instances"])),
            leader=self.leadership.instance if self.leadership else None,
            epoch=self.leadership.epoch if self.leadership else 0,
            jobs=self._jobs.values,
            assignments=self._owners.values,
            foreign=frozenset(f"{folder}/{name}" for folder, name in self.foreign),
        )

    def _living(self, nodes: Mapping[str, Node]) -> Iterator[tuple[str, Instance]]:
        for name, node in nodes.items():
            if node.owner:
                # Somebody has scribbled over one: its session lives all the same, so nobody may declare it dead.
                yield name, self._instances.values.get(name) or unreadable(name)

    def _foreign(self, tree: Tree) -> Iterator[tuple[str, str]]:
        yield from (("jobs", name) for name in self._jobs.unread())
        yield from (("assignments", name) for name in self._owners.unread())
        for folder in ("instances", "leader"):
            yield from ((folder, name) for name, node in tree[folder].items() if not node.owner)


def candidates_of(instance: str, tree: Tree) -> list[str]:
    """Return the names of the nodes by which an instance leads or would lead."""
    found = ((name, CANDIDATE.fullmatch(name)) for name in tree["leader"])
    return [name for name, match in found if match and match[1] == instance]


def _leaderships(tree: Tree) -> Iterator[Leadership]:
    """Yield who leads, and who would next: registered in the same session, in the order of their serials."""
    found = [(match, node) for name, node in tree["leader"].items() if (match := CANDIDATE.fullmatch(name))]
    for match, node in sorted(found, key=lambda pair: int(pair[0][2])):
        registered = tree["instances"].get(match[1])
        if node.owner and registered and registered.owner == node.owner:
            yield Leadership(instance=match[1], name=match[0], epoch=node.created)
