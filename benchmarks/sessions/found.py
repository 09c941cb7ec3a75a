"""What was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What users saw of one fault: `slowest` in seconds; `ended` of `enders` logouts were made while Redis was away,
    and `revived` of these cookies opened a page afterwards."""

    users: int
    logged_in: int
    clicks: int
    errors: int
    logged_out: int
    slowest: float
    enders: int = 0
    ended: int = 0
    revived: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One session engine: the outcome of each fault, and the requests a second of each page in each round."""

    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    rates: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def rate(self, page: str) -> float:
        """Return the median over the rounds."""
        return median(self.rates[page])


def ratio(found: Found, other: Found, page: str) -> float:
    """Return how many requests the one serves while the other serves one."""
    return found.rate(page) / other.rate(page)
