"""Pruning by the leader: now and then while there is nothing to prune, and steadily while there is."""

from collections.abc import Callable
from datetime import datetime

from scheduling.ports.ledger import Ledger
from scheduling.runtime.timer import Timer

IDLE_SECONDS = 60.0
STEADY_SECONDS = 1.0
TAKES_SECONDS = 0.1
"""About twice what one call takes."""

WAITS_AT_MOST = 10.0


class Pruner:
    """The leader's part that can wait: it keeps away from the moments at which something fires, but not for ever."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._timer = Timer(IDLE_SECONDS, clock)
        self._timer.restart(STEADY_SECONDS)

    def prune(self, *, is_quiet: Callable[[float], bool], not_after: datetime) -> None:
        """Prune a little if it is time to; `is_quiet` tells whether nothing fires within so many seconds."""
        if not self._timer.is_due() or not (is_quiet(TAKES_SECONDS) or self._timer.overdue() > WAITS_AT_MOST):
            return
        self._timer.restart()
        if self._ledger.prune(not_after=not_after):
            self._timer.restart(STEADY_SECONDS)
