"""`scheduling.ports.registry.Registry` on ZooKeeper.

    /<namespace>/jobs/<job>            what is published of a job: JSON in our words, with its revision
                /instances/<id>        ephemeral: who this is, and what it can do
                /leader/<id>-<serial>  ephemeral: who would lead; the one with the smallest serial does
                /assignments/<job>     instance → ranges of items, with the epoch of the leader that gave them out

The epoch is the zxid at which the leader's node was created. A leader's write checks, in the same transaction, that
this node is still there; its path names one leadership and can never be another's. So an old leader changes nothing.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from kazoo.client import TransactionRequest
from kazoo.exceptions import NoNodeError, NotEmptyError

from scheduling.domain.cluster import Cluster
from scheduling.domain.documents import instance_to_document, job_to_document, owners_to_document, write
from scheduling.domain.errors import ForeignDocument, RegistryUnavailable, SessionExpired
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.instance import Instance
from scheduling.domain.job import Job
from scheduling.zookeeper.address import Address
from scheduling.zookeeper.changes import Change, batches, changes, exactly, removal
from scheduling.zookeeper.client import Ask, GuardedClient, Refused
from scheduling.zookeeper.mirror import Mirror, Tree
from scheduling.zookeeper.reading import Leadership, Reader, candidates_of

logger = logging.getLogger("scheduling.zookeeper")

FOLDERS = ("instances", "leader", "jobs", "assignments")
TRIES = 3
UPROOT_MOST = 1000


class ZooKeeperRegistry:
    """One instance's session in an ensemble. `wake` is called on a foreign thread when the cluster may have changed."""

    def __init__(self, address: Address, wake: Callable[[], None]) -> None:
        self._address = address
        self._root = address.namespace
        self._client = GuardedClient(address, wake)
        self._mirror = Mirror(self._client, self._root, FOLDERS, fresh="instances", wake=wake)
        self._reader = Reader()
        self._id = ""
        self._written: dict[str, tuple[Job, bytes | None]] = {}
        self._stuck: set[str] = set()

    @property
    def session_timeout(self) -> float:
        """Return the seconds that the servers have granted."""
        return self._client.session_timeout

    # Sessions

    def register(self, instance: Instance) -> None:
        self._id = instance.id
        document = write(instance_to_document(instance))
        self._until_done(lambda tree: self._register(tree, document))

    def _register(self, tree: Tree, document: bytes) -> None:
        path, shown = self._path("instances", self._id), tree["instances"].get(self._id)
        if shown and shown.owner == self._client.session:
            self._client.commit(lambda multi: multi.set_data(path, document, shown.version))
            return
        # What is left of an earlier session of this instance neither lives nor leads.
        left = [self._path("leader", name) for name in candidates_of(self._id, tree)] + ([path] if shown else [])

        def begin(multi: TransactionRequest) -> None:
            for old in left:
                multi.delete(old)
            multi.create(path, document, ephemeral=True)

        self._client.commit(begin)

    def beat(self) -> None:
        session, path = self._client.session, self._path("instances", self._id)
        shown = None
        if self._id:
            # Behind a sync: a server that has lost its leader answers without it for some seconds.
            asked = [lambda client: client.sync_async(path), lambda client: client.exists_async(path)]
            shown = self._client.ask_all(asked)[1]
        if shown is None or shown.ephemeralOwner != session:
            raise SessionExpired(_("the session of instance %(instance)s has ended"), instance=self._id)

    def leave(self) -> None:
        self._id = ""
        self._client.close()

    def session_key(self) -> str:
        return self._client.session_key

    def end_session(self, key: str) -> None:
        ending = GuardedClient(self._address, wake=lambda: None, session_key=key)
        try:
            # Answered within that session, or, if it is over, within a new one.
            ending.ask(lambda client: client.exists_async(self._root))
        finally:
            ending.close()

    # What all read

    def cluster(self) -> Cluster:
        tree = self._mirror.read()
        cluster = self._reader.read(tree)
        shown = tree["instances"].get(self._id)
        if shown and shown.owner != self._client.session:
            # An earlier session of this instance has not ended yet: in this one it has to register again.
            others = {id: instance for id, instance in cluster.instances.items() if id != self._id}
            return replace(cluster, instances=others, leader=None if cluster.leader == self._id else cluster.leader)
        return cluster

    # What a leader does

    def campaign(self) -> None:
        if self.cluster().leader is None:
            self._until_done(self._stand)

    def _stand(self, tree: Tree) -> None:
        shown = tree["instances"].get(self._id)
        if not shown or shown.owner != self._client.session:
            return

        def stand(multi: TransactionRequest) -> None:
            multi.check(self._path("instances", self._id), shown.version)
            multi.create(self._path("leader", f"{self._id}-"), ephemeral=True, sequence=True)

        self._client.commit(stand)

    def publish(self, jobs: Iterable[Job], *, epoch: int) -> bool:
        self._written = {job.name: (job, self._document(job)) for job in jobs}
        wanted = {name: document for name, (_job, document) in self._written.items() if document is not None}

        def due(tree: Tree) -> list[Change]:
            return exactly(wanted, tree["jobs"], self._path("jobs"))

        if not self._lead(epoch, lambda tree: [change for change in due(tree) if not change.removes]):
            return False
        return self._remove(epoch, lambda tree: [change for change in due(tree) if change.removes] + self._sweep(tree))

    def _remove(self, epoch: int, due: Callable[[Tree], list[Change]]) -> bool:
        """Remove what does not belong there, one by one: what cannot be removed is said once, and stays."""
        for change in due(self._mirror.read()):
            try:
                if not self._lead(epoch, lambda tree, change=change: [change]):  # type: ignore[misc]
                    return False
            except RegistryUnavailable as error:
                if change.path not in self._stuck:
                    logger.error("%s does not belong there, and cannot be removed: %s", change.path, error)
                self._stuck.add(change.path)
        return True

    def _document(self, job: Job) -> bytes | None:
        known = self._written.get(job.name)
        if known and known[0] is job:
            return known[1]
        try:
            return write(job_to_document(job))
        except ForeignDocument as error:
            logger.error("%s cannot be published: %s", job.name, error)
            return None

    def _sweep(self, tree: Tree) -> list[Change]:
        found = [(folder, name) for folder, name in sorted(self._reader.foreign) if folder != "jobs"]
        left = [(folder, name, tree[folder].get(name)) for folder, name in found]
        # By now it may be the registration of one that lives.
        return [removal(self._path(folder, name), node) for folder, name, node in left if node and not node.owner]

    def assign(self, assignments: Mapping[str, Mapping[int, str]], *, epoch: int) -> bool:
        wanted = {
            job: write(owners_to_document(owners, epoch)) if owners else None for job, owners in assignments.items()
        }
        return self._lead(epoch, lambda tree: changes(wanted, tree["assignments"], self._path("assignments")))

    def _lead(self, epoch: int, due: Callable[[Tree], list[Change]]) -> bool:
        leadership = self._reader.leadership
        if leadership is None or (leadership.instance, leadership.epoch) != (self._id, epoch):
            return False
        try:
            self._until_done(lambda tree: self._change(leadership, due(tree)))
        except NoLongerLeading:
            return False
        return True

    def _change(self, leadership: Leadership, due: list[Change]) -> None:
        for batch in batches(due):
            # Each further try follows a node that had something below it, which is now gone.
            if not any(self._commit(leadership, batch) for _try in range(len(batch) + 1)):
                raise RegistryUnavailable(_("somebody goes on writing below %(root)s"), root=self._root)

    def _commit(self, leadership: Leadership, batch: Sequence[Change]) -> bool:
        try:
            self._client.commit(lambda multi: self._put(multi, leadership, batch))
        except Refused as refused:
            if refused.index < 2:
                raise NoLongerLeading from refused
            if not isinstance(refused.error, NotEmptyError):
                raise
            self._uproot(batch[refused.index - 2].path)
            return False
        return True

    def _put(self, multi: TransactionRequest, leadership: Leadership, batch: Iterable[Change]) -> None:
        multi.check(self._path("leader", leadership.name), -1)
        multi.check(self._path("instances", leadership.instance), -1)
        for change in batch:
            change.put(multi)

    # The tree itself

    def _until_done(self, act: Callable[[Tree], None]) -> None:
        refused = None
        for _try in range(TRIES):
            try:
                act(self._mirror.read())
                return
            except Refused as error:
                refused = error
                if isinstance(error.error, NoNodeError):
                    self._plant()
                self._mirror.distrust()
        raise RegistryUnavailable(
            _("ZooKeeper refuses to change %(root)s: %(error)s"),
            root=self._root,
            error=type(refused.error).__name__ if refused else "",
        )

    def _plant(self) -> None:
        """Make the folders: this is the first start, or somebody has wiped the tree."""
        segments = self._root[1:].split("/")
        above = ["/" + "/".join(segments[:count]) for count in range(1, len(segments) + 1)]
        for path in [*above, *(self._path(folder) for folder in FOLDERS)]:
            # Asked first: who may write below it need not be allowed to make it.
            if self._client.ask(lambda client, path=path: client.exists_async(path)) is None:  # type: ignore[misc]
                self._client.ask_all([lambda client, path=path: client.create_async(path)])  # type: ignore[misc]

    def _uproot(self, path: str) -> None:
        """Remove what somebody has put below a node of ours, which has nothing below it; not too much at once."""
        below, seen = [path], 0
        while seen < len(below) <= UPROOT_MOST:
            (found,) = self._client.ask_all([_children(below[seen])])
            below += [f"{below[seen]}/{name}" for name in found] if isinstance(found, list) else []
            seen += 1
        self._client.ask_all([_deletion(each) for each in reversed(below[1 : UPROOT_MOST + 1])])
        if len(below) > UPROOT_MOST:
            raise RegistryUnavailable(_("there is more below %(path)s than can be removed at once"), path=path)

    def _path(self, *names: str) -> str:
        return "/".join((self._root, *names))


def _children(path: str) -> Ask:
    return lambda client: client.get_children_async(path)


def _deletion(path: str) -> Ask:
    return lambda client: client.delete_async(path)


class NoLongerLeading(Exception):
    """The node by which this instance led is gone."""
