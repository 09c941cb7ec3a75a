"""What the workers bring back, on its way into the ledger."""

import logging
from collections.abc import Callable

from scheduling.domain.errors import BrokenLedger
from scheduling.domain.fire import ExecutionState, Result, Verdict
from scheduling.ports.ledger import Ledger
from scheduling.runtime.context import describe
from scheduling.runtime.executor import Workers
from scheduling.runtime.timer import Timer

logger = logging.getLogger("scheduling.node")

SETTLE_SECONDS = 5.0
PROGRESS_SECONDS = 1.0
MOST = 200


class Results:
    """Results that are not yet written: at once when idle, otherwise what came while something was started or written.

    Never more than about `MOST` wait: that many would run again if this process were killed now.
    """

    def __init__(self, ledger: Ledger, workers: Workers, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._workers = workers
        self._unwritten: list[Result] = []
        self._settle_timer = Timer(SETTLE_SECONDS, clock)
        self._progress_timer = Timer(PROGRESS_SECONDS, clock)

    def are_waiting(self) -> bool:
        """Has a tick that failed left some?"""
        return bool(self._unwritten)

    def collect(self) -> bool:
        """Take what has come from the workers, who are free then; return whether that many should be written."""
        self._unwritten += self._workers.collect()
        return len(self._unwritten) >= MOST

    def write(self) -> bool:
        """Write what has come; return whether there was something. May be repeated after `LedgerUnavailable`."""
        self.collect()
        if not self._unwritten:
            return False
        written = self._finish()
        fires = {result.attempt.fire for result in self._unwritten}
        self._unwritten = []
        # A fire of which something still runs here has not ended.
        self._ledger.settle(fires - {attempt.fire for attempt in self._workers.running().values()})
        for result, verdict in written:
            _log(result, verdict)
        return True

    def tidy(self) -> None:
        """Note progress, and settle what a dying instance left unsettled."""
        if self._progress_timer.is_due():
            self._progress_timer.restart()
            if progress := self._workers.progress():
                self._ledger.progress(progress)
        if self._settle_timer.is_due():
            self._settle_timer.restart()
            self._ledger.settle()

    def executions(self) -> frozenset[int]:
        """Return the executions that this instance still answers for: running, or their result not written."""
        return frozenset(self._workers.running()) | {result.attempt.execution for result in self._unwritten}

    def _finish(self) -> list[tuple[Result, Verdict]]:
        try:
            verdicts = self._ledger.finish(self._unwritten)
        except BrokenLedger:
            logger.exception("results are refused together, so each is written alone")
            return [pair for result in self._unwritten for pair in self._finish_alone(result)]
        return [(result, verdicts[result.attempt.execution]) for result in self._unwritten]

    def _finish_alone(self, result: Result) -> list[tuple[Result, Verdict]]:
        try:
            return [(result, self._ledger.finish([result])[result.attempt.execution])]
        except BrokenLedger:
            logger.exception("%s: its result cannot be written", describe(result.attempt))
            return []


def _log(result: Result, verdict: Verdict) -> None:
    if verdict is not Verdict.WRITTEN:
        logger.warning("%s under token %s: %s", describe(result.attempt), result.attempt.token, verdict)
        return
    level = logging.INFO if result.state is ExecutionState.SUCCEEDED else logging.ERROR
    last_line = result.message.strip().rpartition("\n")[2]
    took = f"in {result.took * 1000:.0f} ms"
    logger.log(level, "%s: %s %s%s", describe(result.attempt), result.state, took, last_line and f": {last_line}")
