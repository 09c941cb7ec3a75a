"""One running `runscheduler` process, as the others see it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class InstanceState(StrEnum):
    """States of one running `runscheduler` process; the last two are final."""

    LIVE = "live"
    DRAINING = "draining"
    HOLDING = "holding"
    DEAD = "dead"
    LEFT = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One running `runscheduler` process. Its id is lower-case letters, digits and dashes, new at each start.

    `capacity` is its weight among the others where a job's strategy is weighted.
    """

    id: str
    host: str
    pid: int
    started_at: datetime
    handlers: frozenset[str]
    tzdata: str
    capacity: int = 1
    draining: bool = False
