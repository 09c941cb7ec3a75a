"""One running `runscheduler` process, as the others see it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class InstanceState(StrEnum):
    """States of one running `runscheduler` process; the last two are final."""

    LIVE = "live"
    DRAINING = "draining"
    HOLDING = "holding"
    DEAD = "dead"
    LEFT = "left"


class Holding(StrEnum):
    """Why an instance starts nothing, although it is believed alive. What newer code calls it reads as UNKNOWN."""

    CLOCK_IS_OFF = "clock_is_off"
    CLOCK_LEAPT = "clock_leapt"
    LEDGER_WENT_BACK = "ledger_went_back"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "Holding":
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One running `runscheduler` process. Its id is lower-case letters, digits and dashes, new at each start.

    `capacity` is its weight among the others where a job's strategy is weighted. `clock_offset` is how many seconds its
    clock is ahead of the ledger's. While it is `holding` or `draining` it has no items.
    """

    id: str
    host: str
    pid: int
    started_at: datetime
    handlers: frozenset[str]
    tzdata: str
    capacity: int = 1
    draining: bool = False
    holding: Holding | None = None
    clock_offset: float = 0.0

    @property
    def state(self) -> InstanceState:
        """Return its state, as long as it is registered."""
        if self.draining:
            return InstanceState.DRAINING
        return InstanceState.HOLDING if self.holding else InstanceState.LIVE

    @property
    def takes_items(self) -> bool:
        """May it own items, and start what is due of them?"""
        return self.state is InstanceState.LIVE


def unreadable(id: str) -> Instance:
    """Return an instance that lives but of which nothing is known: it is given no items."""
    never = datetime(1970, 1, 1, tzinfo=UTC)
    return Instance(id=id, host="?", pid=0, started_at=never, handlers=frozenset(), tzdata="", holding=Holding.UNKNOWN)
