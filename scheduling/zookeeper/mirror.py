"""What the tree holds, as this client last read it: watches say what to read again, and nothing else is."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kazoo.exceptions import KazooException, NoAuthError

from scheduling.domain.errors import RegistryUnavailable
from scheduling.domain.errors import gettext_noop as _
from scheduling.zookeeper.client import Ask, GuardedClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One znode: its bytes, the version they have, the session that keeps it (0: for ever), and when it was made."""

    value: bytes
    version: int
    owner: int
    created: int


HIDDEN = Node(value=b"", version=-1, owner=-1, created=0)
"""One that we may not read; whose session keeps it, if one does, is not known."""

Tree = Mapping[str, Mapping[str, Node]]
"""folder → name → node"""


@dataclass(slots=True)
class Folder:
    """The nodes of one folder, and what of them is out of date."""

    nodes: dict[str, Node] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    is_stale: bool = True


class Mirror:
    """The folders of a tree. `fresh` is listed at every reading, behind a `sync`; the rest waits for watches.

    At each reading one other list and one node are read in turn, should a watch ever be lost: little, and always
    the same. `wake` is called on kazoo's thread when a watch says that something has changed.
    """

    def __init__(
        self, client: GuardedClient, root: str, folders: tuple[str, ...], fresh: str, wake: Callable[[], None]
    ) -> None:
        self._client = client
        self._root = root
        self._fresh = fresh
        self._wake = wake
        self._folders = {name: Folder() for name in folders}
        self._changed: deque[str] = deque()
        self._connections = -1
        self._turns: Iterator[tuple[str, str]] = iter(())

    def read(self) -> Tree:
        """Return the tree as it is now; the same folder object as before where nothing of it has changed."""
        connections = self._client.connections
        if connections != self._connections:
            self.distrust()
        self._folders[self._fresh].is_stale = True
        self._take_turn()
        self._list([_sync(self._root)])
        self._client.let_watches_pass()
        self._note_changes()
        self._list([])
        self._read_nodes()
        self._connections = connections
        return {name: folder.nodes for name, folder in self._folders.items()}

    def distrust(self) -> None:
        """Read everything again, next time."""
        self._connections = -1
        for folder in self._folders.values():
            folder.is_stale = True
            folder.stale.update(folder.nodes)

    def _take_turn(self) -> None:
        turn = next(self._turns, None)
        if turn is None:
            # A folder without a node has a turn, too.
            self._turns = iter(
                [(name, node) for name, folder in self._folders.items() for node in folder.nodes or [""]]
            )
            turn = next(self._turns, None)
        if turn:
            name, node = turn
            self._folders[name].is_stale = True
            self._folders[name].stale |= {node} & self._folders[name].nodes.keys()

    def _note_changes(self) -> None:
        while self._changed:
            name, _slash, node = self._changed.popleft()[len(self._root) + 1 :].partition("/")
            if folder := self._folders.get(name):
                folder.is_stale = folder.is_stale or not node
                if node:
                    folder.stale.add(node)

    def _list(self, first: list[Ask]) -> None:
        wanted = [name for name, folder in self._folders.items() if folder.is_stale]
        asked = first + [_children(f"{self._root}/{name}", self._on_change) for name in wanted]
        lists = self._client.ask_all(asked)[len(first) :] if asked else []
        for name, found in zip(wanted, lists, strict=True):
            # A folder that is not there has no watch: ask again next time.
            if isinstance(found, NoAuthError):
                raise RegistryUnavailable(
                    _("%(path)s in ZooKeeper may not be read: NoAuthError"), path=f"{self._root}/{name}"
                )
            missing = isinstance(found, KazooException)
            _take_list(self._folders[name], set() if missing else set(found))
            self._folders[name].is_stale = missing

    def _read_nodes(self) -> None:
        wanted = [(name, node) for name, folder in self._folders.items() for node in sorted(folder.stale)]
        asked = [_get(f"{self._root}/{name}/{node}", self._on_change) for name, node in wanted]
        answers = dict(zip(wanted, self._client.ask_all(asked) if asked else [], strict=True))
        for name, folder in self._folders.items():
            _take_nodes(folder, {node: answer for (where, node), answer in answers.items() if where == name})

    def _on_change(self, event: Any) -> None:
        # On kazoo's thread: note it and wake, no more.
        if event.path:
            self._changed.append(event.path)
        self._wake()


def _take_list(folder: Folder, names: set[str]) -> None:
    if folder.nodes.keys() - names:
        folder.nodes = {name: node for name, node in folder.nodes.items() if name in names}
    folder.stale = (folder.stale | names - folder.nodes.keys()) & names


def _take_nodes(folder: Folder, answers: Mapping[str, Any]) -> None:
    read = {name: _node(*answer) for name, answer in answers.items() if not isinstance(answer, KazooException)}
    read |= {name: HIDDEN for name, answer in answers.items() if isinstance(answer, NoAuthError)}
    nodes = {name: node for name, node in folder.nodes.items() if name not in answers} | read
    folder.stale -= answers.keys()
    if nodes != folder.nodes:
        folder.nodes = nodes


def _node(value: bytes, stat: Any) -> Node:
    return Node(value=value, version=stat.version, owner=stat.ephemeralOwner, created=stat.czxid)


def _sync(path: str) -> Ask:
    return lambda client: client.sync_async(path)


def _children(path: str, watch: Callable[[Any], None]) -> Ask:
    return lambda client: client.get_children_async(path, watch=watch)


def _get(path: str, watch: Callable[[Any], None]) -> Ask:
    return lambda client: client.get_async(path, watch=watch)
