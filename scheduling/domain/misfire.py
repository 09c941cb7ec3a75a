"""What becomes of the fire times that are due: which are opened now, and which one row accounts for the others."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduling.domain.fire import FireState, Reason
from scheduling.domain.job import Job, Misfire
from scheduling.domain.trigger import Trigger, fire_times_between, last_fire_time, last_fire_times

IN_TIME = timedelta(seconds=60)
COUNTED_AT_MOST = 1_100
"""Missed fire times are counted no further; one more in a row means "more than"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Fire times that do not run, in one row: how many, from `first` to `last`, and why."""

    state: FireState
    reason: Reason
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What to write when a job is due: its fires, the row for the missed ones, and how far the cursor moves."""

    job: Job
    counted_to: datetime
    fires: tuple[datetime, ...]
    missed: Missed | None = None

    @property
    def place(self) -> tuple[int, datetime]:
        """Return what tells it from the job's other openings: revision and cursor."""
        return (self.job.revision, self.counted_to)

    def follows(self, counted_to: datetime) -> bool:
        """Are all fire times that it accounts for after the cursor? An opening decided on by an older one's are not."""
        return counted_to < min([self.counted_to, *self.fires, *([self.missed.first] if self.missed else [])])


def opening(job: Job, counted_to: datetime, now: datetime) -> Opening | None:
    """Apply the misfire policy to the fire times of `job` in (counted_to, now]; None if there is none.

    A fire time is late once the next one is due or 60 s have passed, whichever is sooner.
    """
    last = last_fire_time(job.trigger, counted_to, now)
    if last is None:
        return None
    fires = _POLICIES[job.misfire](job, counted_to, last, now)
    return Opening(job=job, counted_to=last, fires=fires, missed=_missed_before(job, counted_to, last, fires))


def missed_between(
    trigger: Trigger, after: datetime, until: datetime, reason: Reason, state: FireState = FireState.SKIPPED
) -> Missed | None:
    """Return the one row that accounts for all fire times in (after, until]; None if there is none."""
    last = last_fire_time(trigger, after, until)
    if last is None:
        return None
    times = fire_times_between(trigger, after, last, COUNTED_AT_MOST + 1)
    return Missed(state=state, reason=reason, count=len(times), first=times[0], last=last)


def _missed_before(job: Job, counted_to: datetime, last: datetime, fires: tuple[datetime, ...]) -> Missed | None:
    until = fires[0] - timedelta(seconds=1) if fires else last
    state = FireState.COALESCED if job.misfire is Misfire.FIRE_ONCE else FireState.SKIPPED
    reason = Reason.TOO_OLD if job.misfire is Misfire.FIRE_ALL else Reason.NOBODY_WAS_UP
    return missed_between(job.trigger, counted_to, until, reason, state)


def _skip(job: Job, counted_to: datetime, last: datetime, now: datetime) -> tuple[datetime, ...]:
    return (last,) if now - last < IN_TIME else ()


def _fire_once(job: Job, counted_to: datetime, last: datetime, now: datetime) -> tuple[datetime, ...]:
    return (last,)


def _fire_all(job: Job, counted_to: datetime, last: datetime, now: datetime) -> tuple[datetime, ...]:
    after = max(counted_to, oldest_to_catch_up(job, now) - timedelta(microseconds=1))
    return tuple(last_fire_times(job.trigger, after, last, job.fire_all_most))


def is_young(job: Job, fire_time: datetime, now: datetime) -> bool:
    """Is this fire time recent enough to be run, if it is the only one due, by any policy?"""
    oldest = oldest_to_catch_up(job, now) if job.misfire is Misfire.FIRE_ALL else now - IN_TIME
    return fire_time > oldest


def oldest_to_catch_up(job: Job, now: datetime) -> datetime:
    """Return the oldest fire time that a job whose policy is to fire all still runs."""
    return now - timedelta(seconds=job.fire_all_age)


_POLICIES: dict[Misfire, Callable[[Job, datetime, datetime, datetime], tuple[datetime, ...]]] = {
    Misfire.SKIP: _skip,
    Misfire.FIRE_ONCE: _fire_once,
    Misfire.FIRE_ALL: _fire_all,
}
