"""The attempts that this instance has begun: what follows if one fails, and when the time of one is over."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from scheduling.domain.fire import Attempt, ExecutionState, Reason, Result
from scheduling.domain.job import Isolation, Job, OnTimeout
from scheduling.runtime.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An attempt, its context, and its job as it was then."""

    attempt: Attempt
    context: Context
    job: Job


class Attempts:
    """What is begun and not yet written. `tokens` is attempt → its item's token since it was cut off."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun: dict[int, Begun] = {}
        self._runs_since: dict[int, float] = {}
        self.tokens: dict[Attempt, int] = {}

    def begin(self, attempt: Attempt, context: Context, job: Job) -> None:
        """Note that the attempt is about to run, as the job says."""
        self._begun[attempt.execution] = Begun(attempt=attempt, context=context, job=job)
        if job.isolation is Isolation.THREAD:
            self._runs_since[attempt.execution] = self._clock()

    def overdue(self) -> list[Result]:
        """Return the results of those whose time is over while their handlers run."""
        now = self._clock()
        return [_timed_out(begun) for begun in self._begun.values() if self._ends_at(begun) <= now]

    def seconds_left(self) -> float:
        """Return the seconds until the time of one is over; without end if none has a timeout."""
        return min(map(self._ends_at, self._begun.values()), default=float("inf")) - self._clock()

    def end(self, result: Result) -> Result:
        """Return the result with what follows it, once its handler has returned."""
        begun = self._begun.pop(result.attempt.execution, None)
        self._runs_since.pop(result.attempt.execution, None)
        return _followed(result, begun.job) if begun else result

    def cut_off(self, attempt: Attempt, token: int | None) -> None:
        """Note that the attempt has ended in the ledger, under a new token; None: it had lost its item."""
        begun = self._begun.pop(attempt.execution)
        self._runs_since.pop(attempt.execution, None)
        if token is not None:
            self.tokens[begun.attempt] = token

    def take_token(self, attempt: Attempt) -> int | None:
        """Return the token that the attempt was cut off under, once its handler has returned; None if it was not."""
        return self.tokens.pop(attempt, None)

    def _ends_at(self, begun: Begun) -> float:
        """Return when its time is over; without end if it has no timeout, or its process has not begun it yet."""
        if begun.job.timeout is None or begun.job.on_timeout is not OnTimeout.CANCEL:
            return float("inf")
        execution = begun.attempt.execution
        if execution not in self._runs_since and begun.context.begun_at is None:
            return float("inf")
        return self._runs_since.setdefault(execution, self._clock()) + begun.job.timeout


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
