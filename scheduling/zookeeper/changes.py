"""What a leader has to change of a folder, and in how many transactions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from kazoo.client import TransactionRequest

from scheduling.zookeeper.mirror import Node

MOST_OPERATIONS = 200
MOST_BYTES = 256 * 1024
"""Both of one transaction; ZooKeeper ends the connection at 1 MB. One document may be as large as this by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One operation of a transaction, and about how many bytes it has."""

    path: str
    size: int
    removes: bool = False
    put: Callable[[TransactionRequest], None]


def changes(wanted: Mapping[str, bytes | None], nodes: Mapping[str, Node], folder: str) -> list[Change]:
    """Return what turns the nodes named in `wanted` into what it says; None removes one."""
    found = (_change(f"{folder}/{name}", value, nodes.get(name)) for name, value in sorted(wanted.items()))
    return [change for change in found if change]


def exactly(wanted: Mapping[str, bytes], nodes: Mapping[str, Node], folder: str) -> list[Change]:
    """Return what turns a folder into exactly `wanted`."""
    return changes({**dict.fromkeys(nodes), **wanted}, nodes, folder)


def batches(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Cut changes into transactions, each of them small enough; at least one, be it empty."""
    batch: list[Change] = []
    for change in changes:
        if len(batch) == MOST_OPERATIONS or (batch and sum(c.size for c in batch) + change.size > MOST_BYTES):
            yield batch
            batch = []
        batch.append(change)
    yield batch


def _change(path: str, value: bytes | None, node: Node | None) -> Change | None:
    if value is None:
        return removal(path, node) if node else None
    if node is None:
        return Change(path=path, size=_size(path, value), put=lambda multi: multi.create(path, value))
    if node.value == value:
        return None
    return Change(path=path, size=_size(path, value), put=lambda multi: multi.set_data(path, value, node.version))


def removal(path: str, node: Node) -> Change:
    """Return the change that removes a node, if it is still as it was read."""
    return Change(path=path, size=_size(path, b""), removes=True, put=lambda multi: multi.delete(path, node.version))


def _size(path: str, value: bytes) -> int:
    return len(path) + len(value) + 100
