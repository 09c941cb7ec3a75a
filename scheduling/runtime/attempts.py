"""The attempts that this instance has begun: what follows if one fails, and when the time of one is over."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from scheduling.domain.fire import Attempt, ExecutionState, Reason, Result
from scheduling.domain.job import Job, OnTimeout


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An attempt, its job as it was then, and when its time is over by the monotonic clock."""

    attempt: Attempt
    job: Job
    ends_at: float


class Attempts:
    """What is begun and not yet written. `tokens` is attempt → its item's token since it was cut off."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun: dict[int, Begun] = {}
        self.tokens: dict[Attempt, int] = {}

    def begin(self, attempt: Attempt, job: Job) -> None:
        """Note that the attempt is about to run, as the job says."""
        is_told = job.timeout is not None and job.on_timeout is OnTimeout.CANCEL
        ends_at = self._clock() + job.timeout if job.timeout is not None and is_told else float("inf")
        self._begun[attempt.execution] = Begun(attempt=attempt, job=job, ends_at=ends_at)

    def overdue(self) -> list[Result]:
        """Return the results of those whose time is over while their handlers run."""
        now = self._clock()
        return [_timed_out(begun) for begun in self._begun.values() if begun.ends_at <= now]

    def seconds_left(self) -> float:
        """Return the seconds until the time of one is over; without end if none has a timeout."""
        return min((begun.ends_at for begun in self._begun.values()), default=float("inf")) - self._clock()

    def end(self, result: Result) -> Result:
        """Return the result with what follows it, once its handler has returned."""
        begun = self._begun.pop(result.attempt.execution, None)
        return _followed(result, begun.job) if begun else result

    def cut_off(self, attempt: Attempt, token: int | None) -> None:
        """Note that the attempt has ended in the ledger, under a new token; None: it had lost its item."""
        begun = self._begun.pop(attempt.execution)
        if token is not None:
            self.tokens[begun.attempt] = token


def _timed_out(begun: Begun) -> Result:
    failed = Result(
        attempt=begun.attempt,
        state=ExecutionState.FAILED,
        reason=Reason.TIMED_OUT,
        message=f"it ran for longer than {begun.job.timeout} s; its handler was told to stop",
    )
    return _followed(failed, begun.job)


def _followed(result: Result, job: Job) -> Result:
    if result.state is ExecutionState.SUCCEEDED:
        return result
    return replace(result, retry_in=job.retry.delay_after(result.attempt.failures + 1))
