"""What the workers bring back, on its way into the ledger."""

import logging
from collections.abc import Callable
from datetime import datetime

from scheduling.domain.errors import BrokenLedger
from scheduling.domain.fire import Attempt, ExecutionState, Reason, Result, Verdict
from scheduling.domain.job import Job
from scheduling.ports.ledger import Ledger
from scheduling.runtime.attempts import Attempts
from scheduling.runtime.context import Context, describe
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

    def __init__(
        self, ledger: Ledger, workers: Workers, clock: Callable[[], float], *, latest: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._workers = workers
        self._latest = latest
        self._attempts = Attempts(clock)
        self._unwritten: list[Result] = []
        self._returned: dict[Attempt, int] = {}
        self._settle_timer = Timer(SETTLE_SECONDS, clock)
        self._progress_timer = Timer(PROGRESS_SECONDS, clock)

    def begin(self, attempt: Attempt, context: Context, job: Job) -> None:
        """Expect the result of an attempt that is about to run."""
        self._attempts.begin(attempt, context, job)

    def are_waiting(self) -> bool:
        """Has a tick that failed left some?"""
        return bool(self._unwritten or self._returned)

    def collect(self) -> bool:
        """Take what has come from the workers, who are free then; return whether that many should be written."""
        for result in self._workers.collect():
            token = self._attempts.take_token(result.attempt)
            if token is None:
                self._unwritten.append(self._attempts.end(result))
            else:
                self._returned[result.attempt] = token
                logger.info("%s: its handler has returned, after the end of its attempt", describe(result.attempt))
        return len(self._unwritten) >= MOST

    def write(self) -> bool:
        """Write what has come; return whether there was something. May be repeated after `LedgerUnavailable`."""
        self.collect()
        self._cut_off()
        released = self._release()
        return self._write() or released

    def _cut_off(self) -> None:
        """End the attempts whose time is over; their items stay held until their handlers return."""
        overdue = self._attempts.overdue()
        if not overdue:
            return
        self._workers.cancel({result.attempt.execution for result in overdue})
        for result in overdue:
            token = self._cut_off_one(result)
            self._attempts.cut_off(result.attempt, token)
            _log(result, Verdict.NO_LONGER_YOURS if token is None else Verdict.WRITTEN)
        self._ledger.settle({result.attempt.fire for result in overdue})

    def _cut_off_one(self, result: Result) -> int | None:
        # Each alone: it is rare, and a row that somebody has broken keeps no other back.
        try:
            return self._ledger.cut_off([result], not_after=self._latest()).get(result.attempt.execution)
        except BrokenLedger:
            logger.exception("%s: it cannot be cut off", describe(result.attempt))
            return None

    def _release(self) -> bool:
        returned = bool(self._returned)
        if returned:
            self._ledger.release(self._returned)
            self._returned = {}
        return returned

    def _write(self) -> bool:
        if not self._unwritten:
            return False
        written = self._finish()
        fires = {result.attempt.fire for result in self._unwritten}
        self._unwritten = []
        for result, verdict in written:
            _log(result, verdict)
        # A fire of which something still runs here, and was not cut off, has not ended.
        running = set(self._workers.running().values()) - self._attempts.tokens.keys()
        self._ledger.settle(fires - {attempt.fire for attempt in running})
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
        unwritten = {result.attempt.execution for result in self._unwritten}
        return frozenset(self._workers.running()) | unwritten | {attempt.execution for attempt in self._returned}

    def unfinished(self) -> frozenset[int]:
        """Return those of them whose attempts have not ended, as one that was cut off has."""
        return self.executions() - {attempt.execution for attempt in self._attempts.tokens}

    def seconds_left(self) -> float:
        """Return the seconds until the time of an attempt is over."""
        return self._attempts.seconds_left()

    def _finish(self) -> list[tuple[Result, Verdict]]:
        try:
            verdicts = self._ledger.finish(self._unwritten, not_after=self._latest())
        except BrokenLedger:
            logger.exception("results are refused together, so each is written alone")
            return [pair for result in self._unwritten for pair in self._finish_alone(result)]
        return [(result, verdicts[result.attempt.execution]) for result in self._unwritten]

    def _finish_alone(self, result: Result) -> list[tuple[Result, Verdict]]:
        try:
            return [(result, self._ledger.finish([result], not_after=self._latest())[result.attempt.execution])]
        except BrokenLedger:
            logger.exception("%s: its result cannot be written", describe(result.attempt))
            return []


def _log(result: Result, verdict: Verdict) -> None:
    if verdict is not Verdict.WRITTEN:
        logger.warning("%s under token %s: %s", describe(result.attempt), result.attempt.token, verdict)
        return
    level = logging.INFO if result.state is ExecutionState.SUCCEEDED else logging.ERROR
    last_line = result.message.strip().rpartition("\n")[2]
    took = "at its timeout" if result.reason is Reason.TIMED_OUT else f"in {result.took * 1000:.0f} ms"
    again = f", again in {result.retry_in.total_seconds():g} s" if result.retry_in is not None else ""
    said = last_line and f": {last_line}"
    logger.log(level, "%s: %s %s%s%s", describe(result.attempt), result.state, took, again, said)
