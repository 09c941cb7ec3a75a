"""What a run leaves behind, as plain values: all that the checker knows. Times are seconds of one machine's clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal: a handler starts, looks at what others have written, or ends with an outcome."""

    event: str
    at: float
    node: str
    instance: str
    pid: int
    job: str
    item: int
    fire_time: int
    run: int
    execution: int
    attempt: int
    token: int
    seen: int = 0
    outcome: str = ""

    @property
    def slice(self) -> tuple[str, int]:
        """Return the sharding item that ran."""
        return (self.job, self.item)

    def __str__(self) -> str:
        return (
            f"{self.job} item {self.item} fire time {self.fire_time} run {self.run} execution {self.execution} "
            f"attempt {self.attempt} token {self.token} on {self.node} ({self.instance}): "
            f"{self.event} at {self.at:.3f}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What was done to which nodes, from when to when."""

    kind: str
    nodes: tuple[str, ...]
    begin: float
    end: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How a job was configured since `after`: it fires every so many seconds, counted from `anchor`.

    `after` is the product's word; the rig asked for it at `asked`, and had it at `told`.
    """

    job: str
    revision: int
    after: float
    every: int
    anchor: int
    enabled: bool
    total: int
    asked: float
    told: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Who was seen to own which ranges of a job's items since a time: instance → ranges."""

    at: float
    job: str
    owners: Mapping[str, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """Which instance was seen to lead since a time."""

    at: float
    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A person asked for a fire, under a key."""

    job: str
    key: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What of a job no edit of the rig changes."""

    id: int
    name: str
    misfire: str
    failover: bool
    retries: int = 0
    retry_delay: int = 0
    timeout: int | None = None
    kills: bool = False
    """Its process is killed at the timeout; otherwise its handler is told to stop, and goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a job is accounted for."""

    job: str
    revision: int
    counted_to: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """One row of the ledger's fires."""

    id: int
    job: str
    fire_time: int
    run: int
    revision: int
    total: int
    state: str
    reason: str
    missed_count: int
    first_missed: int | None
    opened_at: float
    settled_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One row of the ledger's executions."""

    id: int
    fire: int
    job: str
    item: int
    state: str
    reason: str
    attempt: int
    token: int | None
    instance: str | None
    started_at: float | None
    finished_at: float | None
    failures: int = 0

    @property
    def slice(self) -> tuple[str, int]:
        return (self.job, self.item)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One row of the ledger's items."""

    job: str
    number: int
    token: int
    execution: int | None
    instance: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One row of the ledger's instances."""

    id: str
    died_at: float | None
    died_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One row that a handler wrote, through `atomic` or `once`; `at` is when its statement ran."""

    id: int
    way: str
    job: str
    item: int
    execution: int
    attempt: int
    token: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """That the ledger holds a `once` for done."""

    execution: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The registry when all was mended: names and documents by folder, and how many nodes there are in all."""

    folders: Mapping[str, Mapping[str, str]]
    nodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Everything that one run has left behind."""

    seed: int
    seconds: float
    begin: float
    end: float
    session: float
    nodes: tuple[str, ...]
    entries: tuple[Entry, ...] = ()
    faults: tuple[Fault, ...] = ()
    periods: tuple[Period, ...] = ()
    shares: tuple[Share, ...] = ()
    leads: tuple[Lead, ...] = ()
    requests: tuple[Request, ...] = ()
    jobs: tuple[Job, ...] = ()
    cursors: tuple[Cursor, ...] = ()
    fires: tuple[Fire, ...] = ()
    executions: tuple[Execution, ...] = ()
    items: tuple[Item, ...] = ()
    instances: tuple[Instance, ...] = ()
    effects: tuple[Effect, ...] = ()
    markers: tuple[Marker, ...] = ()
    tree: Tree = field(default_factory=lambda: Tree(folders={}, nodes=0))
    exits: Mapping[str, int] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A promise that was not kept, with the evidence."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"
