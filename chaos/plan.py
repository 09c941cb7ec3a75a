"""Which faults come when: drawn from the seed alone, so that the seed repeats them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

EVERY = 7.5
"""Seconds from one fault to the next, on average; several last for longer."""

ROUND = 120.0
CALM = 46.0
"""Seconds at the end of each round in which nothing begins: what had begun ends, and the rest of it is calm."""

EDITED = 0.4
"""How often a job is edited between two faults."""

QUIET = 3.0
"""Seconds at the end of a run in which nothing begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of fault: what it is done to, for how many seconds, and what it may lead to.

    `reruns`: what the node was running may run again elsewhere. Late is whatever comes due meanwhile, always.
    """

    name: str
    target: str
    shortest: float
    longest: float
    reruns: bool = False


KINDS = (
    Kind(name="kill working", target="node", shortest=0.5, longest=2, reruns=True),
    Kind(name="kill both", target="node", shortest=2, longest=10, reruns=True),
    Kind(name="freeze long", target="node", shortest=9, longest=13, reruns=True),
    Kind(name="freeze inside", target="node", shortest=9, longest=13, reruns=True),
    Kind(name="freeze short", target="node", shortest=0.5, longest=2),
    Kind(name="hold zookeeper", target="node", shortest=4, longest=14, reruns=True),
    Kind(name="hold requests", target="node", shortest=9, longest=14, reruns=True),
    Kind(name="hold answers", target="node", shortest=9, longest=14, reruns=True),
    Kind(name="cut zookeeper", target="node", shortest=1, longest=12, reruns=True),
    Kind(name="delay", target="node", shortest=5, longest=12),
    Kind(name="clock step", target="node", shortest=4, longest=12),
    Kind(name="cut database", target="node", shortest=1, longest=8),
    Kind(name="hold database", target="node", shortest=1, longest=8),
    Kind(name="restart follower", target="zookeeper", shortest=0.5, longest=4),
    Kind(name="restart leader", target="zookeeper", shortest=0.5, longest=4),
    Kind(name="restart all", target="zookeeper", shortest=0, longest=1),
    Kind(name="restart database", target="database", shortest=0, longest=4),
    Kind(name="rolling restart", target="nodes", shortest=0, longest=0),
    Kind(name="edit", target="job", shortest=0, longest=0),
)
NAMED = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault to come: when, to which node, for how long; `draw` decides what else there is to decide."""

    at: float
    kind: str
    node: int
    seconds: float
    draw: int


def plan(seed: int, seconds: float, nodes: int) -> list[Planned]:
    """Return the faults of a run, each kind before any kind comes again, and edits in between."""
    dice = random.Random(seed)
    kinds, planned = _kinds(dice), []
    at = dice.uniform(1, 3)
    while at < seconds - QUIET:
        planned.append(_planned(dice, at, next(kinds), nodes))
        gap = dice.uniform(0.4, 1.6) * EVERY
        if dice.random() < EDITED and at + gap / 2 < seconds - QUIET:
            planned.append(_planned(dice, at + gap / 2, NAMED["edit"], nodes))
        at = _after_the_calm(at + gap)
    return planned


def _after_the_calm(at: float) -> float:
    since = at % ROUND
    return at if since < ROUND - CALM else at - since + ROUND + (since - ROUND + CALM) / 10


def _planned(dice: random.Random, at: float, kind: Kind, nodes: int) -> Planned:
    length = dice.uniform(kind.shortest, kind.longest)
    return Planned(at=at, kind=kind.name, node=dice.randrange(nodes), seconds=length, draw=dice.randrange(10**6))


def _kinds(dice: random.Random) -> Iterator[Kind]:
    # First those without which a run shows nothing, however short it is.
    yield from dice.sample([NAMED["kill both"], NAMED["freeze inside"], NAMED["restart database"]], 3)
    while True:
        yield from dice.sample(_weighted(), len(_weighted()))


def _weighted() -> Sequence[Kind]:
    """Let kills come twice in a round."""
    return (*KINDS, NAMED["kill working"], NAMED["kill both"])
