"""How long settled fires are kept: by age and by number, for each job or, where it says nothing, for all."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduling.domain.numbers import check_number

KEEP_DAYS = 7
KEEP_FIRES = 100_000
KEEP_DAYS_MOST = 3_660
KEEP_FIRES_MOST = 10_000_000

AT_LEAST = timedelta(hours=1)
"""Younger fires stay whatever their number: a question whose answer was lost may come again, and pages show them."""

INSTANCES = timedelta(days=7)
"""How long an instance that has ended is remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long a job's settled fires are kept: so many days, and so many of them. None is as of all jobs."""

    days: int | None = None
    fires: int | None = None

    def or_else(self, overall: "Keep") -> "Keep":
        """Return what counts for a job whose own this is."""
        days = overall.days if self.days is None else self.days
        return Keep(days=days, fires=overall.fires if self.fires is None else self.fires)

    def oldest(self, now: datetime) -> datetime:
        """Return the moment such that what settled before it is too old."""
        days = KEEP_DAYS if self.days is None else min(self.days, KEEP_DAYS_MOST)
        return now - max(timedelta(days=days), AT_LEAST)

    def most(self) -> int:
        """Return how many fires are kept."""
        return KEEP_FIRES if self.fires is None else self.fires


def check_keep_days(days: int | None) -> None:
    """Raise `InvalidJob` unless fires can be kept for so many days; None is as long as those of all jobs."""
    if days is not None:
        check_number(days, 1, KEEP_DAYS_MOST)


def check_keep_fires(count: int | None) -> None:
    """Raise `InvalidJob` unless so many fires can be kept; None is as many as of all jobs."""
    if count is not None:
        check_number(count, 1, KEEP_FIRES_MOST)
