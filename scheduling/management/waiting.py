"""Waiting for a fire until it is settled."""

from collections.abc import Callable

from scheduling.database.transactions import answered
from scheduling.domain.errors import LedgerUnavailable
from scheduling.models import Fire

LOOK_SECONDS = 0.5


def wait_until_settled(
    fire: Fire, seconds: float, *, pause: Callable[[float], object], clock: Callable[[], float]
) -> bool:
    """Look at the fire again and again; return whether it is settled before `seconds` have passed.

    A database that gives no answer is asked again.
    """
    until = clock() + seconds
    while not _is_settled(fire):
        left = until - clock()
        if left <= 0:
            return False
        pause(min(LOOK_SECONDS, left))
    return True


def _is_settled(fire: Fire) -> bool:
    try:
        with answered():
            fire.refresh_from_db(fields=("state", "reason", "unsettled"))
    except LedgerUnavailable:
        return False
    return not fire.unsettled
