"""The jobs of a history, and their fire times counted in another way than triggers do."""

from dataclasses import replace
from datetime import timedelta

from scheduling.domain.job import FIRE_ALL_AGE, FIRE_ALL_MOST, Isolation, Job, Misfire, OnTimeout
from scheduling.domain.retry import Backoff, Retry
from scheduling.domain.trigger import CronTrigger, DateTrigger, IntervalTrigger, ManualTrigger
from scheduling.tests.runtime.stage import START

SECOND = timedelta(seconds=1)
HANDLERS = ("sweep", "work")
DAY = START.date()
SECONDS_OF = {
    "0/4 * * * * ?": (range(0, 60, 4), lambda time: True),
    "5,20,40 * * * * ?": ((5, 20, 40), lambda time: True),
    "10-25 * * ? * SUN": (range(10, 26), lambda time: time.weekday() == 6),
    "*/2 * 12 1 3 ? 2026": (range(0, 60, 2), lambda time: time.date() == DAY and time.hour == 12),
    "0 * * * * ?": ((0,), lambda time: True),
}
"""Cron expression → the seconds of every minute in which it fires, and in which minutes."""


def a_job(random, name):
    """Return a job of any kind."""
    return Job(
        name=name,
        handler=random.choice(HANDLERS),
        trigger=_trigger(random),
        sharding_total_count=random.choice((1, 1, 2, 3, 5)),
        misfire=random.choice(list(Misfire)),
        fire_all_most=random.choice((FIRE_ALL_MOST, FIRE_ALL_MOST, 2, 5)),
        fire_all_age=random.choice((FIRE_ALL_AGE, FIRE_ALL_AGE, 3, 8)),
        failover=random.random() < 0.8,
        retry=_retry(random),
        **_timeout(random),
    )


def _retry(random):
    return Retry(
        most=random.choice((0, 0, 1, 2, 3)),
        delay=random.choice((0, 1, 2)),
        backoff=random.choice(list(Backoff)),
        delay_most=random.choice((3, 3_600)),
        elsewhere=random.random() < 0.7,
    )


def _timeout(random):
    isolation = random.choice(list(Isolation))
    kill = isolation is Isolation.PROCESS and random.random() < 0.5
    return {
        "timeout": random.choice((None, None, 1, 2, 5)),
        "isolation": isolation,
        "on_timeout": OnTimeout.KILL if kill else OnTimeout.CANCEL,
    }


def allowed_delay(retry, failures):
    """Return the seconds between an attempt that failed and the next one; None if there is none."""
    if failures > retry.most:
        return None
    if retry.backoff is Backoff.FIXED:
        return retry.delay
    delay = retry.delay
    for _ in range(failures - 1):
        delay = min(2 * delay, max(retry.delay, retry.delay_most))
    return delay


def changed(random, job):
    """Return the job with some or all of its fields edited."""
    new = replace(a_job(random, job.name), enabled=random.random() < 0.8)
    return replace(new, trigger=job.trigger) if random.random() < 0.5 else new


def written(job):
    """Write a job into one line of a history."""
    state = "" if job.enabled else " disabled"
    retry = f"{job.retry.most} retries after {job.retry.delay} s {job.retry.backoff} elsewhere={job.retry.elsewhere}"
    timeout = f"{job.on_timeout} after {job.timeout} s in a {job.isolation}" if job.timeout else "no timeout"
    policy = f"{job.misfire} {job.fire_all_most}/{job.fire_all_age} failover={job.failover}"
    return f"{job.trigger} x {job.sharding_total_count} {policy}, {retry}, {timeout}{state}"


def anchored(trigger, before, now):
    """Return the trigger as it counts from `now` on; `before` was the job's until now, None if it was disabled."""
    if not isinstance(trigger, IntervalTrigger):
        return trigger
    goes_on = isinstance(before, IntervalTrigger) and before.seconds == trigger.seconds
    return replace(trigger, anchor=before.anchor if goes_on else now)


def fire_times(trigger, after, until):
    """Return the fire times in (after, until]."""
    first = after.replace(microsecond=0) + SECOND
    seconds = range(int((until - first) / SECOND) + 1) if until >= first else ()
    fires = _fires(trigger)
    return [time for time in (first + n * SECOND for n in seconds) if fires(time)]


def _fires(trigger):
    match trigger:
        case IntervalTrigger(seconds=seconds, anchor=anchor):
            return lambda time: time > anchor and not (time - anchor) // SECOND % seconds
        case CronTrigger(expression=expression):
            chosen, is_minute = SECONDS_OF[expression]
            return lambda time: time.second in chosen and is_minute(time)
        case DateTrigger(at=at):
            return lambda time: time == at
    return lambda time: False


def _trigger(random):
    kind = random.random()
    if kind < 0.6:
        return IntervalTrigger(seconds=random.choice((1, 2, 3, 7)), anchor=START)
    if kind < 0.9:
        return CronTrigger(expression=random.choice(list(SECONDS_OF)), time_zone="UTC")
    return DateTrigger(at=START + random.randint(3, 30) * SECOND) if kind < 0.95 else ManualTrigger()
