"""What follows a failed attempt: whether there is another, when, and on which instance."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from scheduling.domain.errors import InvalidJob
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.numbers import check_number

MOST_RETRIES = 100
MOST_SECONDS = 7 * 86_400
TAKE_OVERS_MOST = 5
"""How often an execution is taken over: what ends so many instances is more likely their killer than their victim."""


class Backoff(StrEnum):
    """How the delay before a retry grows."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a failed execution is attempted again, and after how many seconds.

    `elsewhere`: on another live instance, if there is one that knows the handler.
    """

    most: int = 0
    delay: int = 10
    backoff: Backoff = Backoff.FIXED
    delay_most: int = 3_600
    elsewhere: bool = True

    @property
    def moves(self) -> bool:
        """Does another instance make the next attempt, if there is one?

        Not once there are no retries any more: what waits then is left to the owner of its item.
        """
        return self.elsewhere and self.most > 0

    def delay_after(self, failures: int) -> timedelta | None:
        """Return how long to wait after this many failed attempts; None if there is no attempt left."""
        if failures > self.most:
            return None
        doublings = failures - 1 if self.backoff is Backoff.EXPONENTIAL else 0
        return timedelta(seconds=min(self.delay * 2**doublings, max(self.delay, self.delay_most)))


def delay_after_deaths(deaths: int, chance: float) -> timedelta:
    """Return how long after its last start an execution waits that so many instances have died with.

    After the first it is run at once. Then it waits for 1, 2, 4 … seconds, half as much or as much again by `chance`, 0
    to 1: what only ran beside the one that kills is not begun together with it each time.
    """
    return timedelta(seconds=2 ** (deaths - 2) * (0.5 + chance)) if deaths > 1 else timedelta(0)


def check_retries(count: int) -> None:
    """Raise `InvalidJob` unless an execution can be attempted again so often."""
    check_number(count, 0, MOST_RETRIES)


def check_delay(seconds: int) -> None:
    """Raise `InvalidJob` unless a retry can wait for so long."""
    check_number(seconds, 0, MOST_SECONDS)


def check_longest_delay(seconds: int, delay: int, backoff: str) -> None:
    """Raise `InvalidJob` unless doubled delays can begin with `delay` and grow no further than `seconds`."""
    check_delay(seconds)
    if backoff == Backoff.EXPONENTIAL and seconds < delay:
        raise InvalidJob(
            _("%(seconds)s s are shorter than the retry delay, %(delay)s s: make this longer or the delay shorter"),
            seconds=seconds,
            delay=delay,
        )


def retried_by(failed_on: str, owner: str | None, able: Iterable[str]) -> str | None:
    """Return which instance runs the next attempt: the next one by id after the one that failed, or else the owner.

    `able` are the live instances that know the handler, the one that failed perhaps among them.
    """
    others = sorted(set(able) - {failed_on})
    return next((id for id in others if id > failed_on), others[0]) if others else owner
