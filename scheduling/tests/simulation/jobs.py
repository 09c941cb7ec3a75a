"""The jobs of a history, and their fire times counted in another way than triggers do."""

from dataclasses import replace
from datetime import timedelta

from scheduling.domain.job import Job, Misfire
from scheduling.domain.trigger import CronTrigger, DateTrigger, IntervalTrigger, ManualTrigger
from scheduling.tests.runtime.stage import START

SECOND = timedelta(seconds=1)
SECONDS_OF = {
    "0/4 * * * * ?": range(0, 60, 4),
    "5,20,40 * * * * ?": (5, 20, 40),
    "10-25 * * ? * SUN": range(10, 26),
    "*/2 * 12 1 3 ? 2026": range(0, 60, 2),
    "0 * * * * ?": (0,),
}
"""Cron expression → the seconds of every minute in which it fires, on the day of the histories."""


def a_job(random, name):
    """Return a job of any kind."""
    return Job(
        name=name,
        handler="work",
        trigger=_trigger(random),
        sharding_total_count=random.choice((1, 1, 2, 3, 5)),
        misfire=random.choice(list(Misfire)),
        failover=random.random() < 0.8,
    )


def changed(random, job):
    """Return the job with some or all of its fields edited."""
    new = replace(a_job(random, job.name), enabled=random.random() < 0.8)
    return replace(new, trigger=job.trigger) if random.random() < 0.5 else new


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
    return [time for time in (first + n * SECOND for n in seconds) if _fires(trigger, time)]


def _fires(trigger, time):
    match trigger:
        case IntervalTrigger():
            return time > trigger.anchor and not (time - trigger.anchor).seconds % trigger.seconds
        case CronTrigger():
            return time.second in SECONDS_OF[trigger.expression]
        case DateTrigger():
            return time == trigger.at
    return False


def _trigger(random):
    kind = random.random()
    if kind < 0.6:
        return IntervalTrigger(seconds=random.choice((1, 2, 3, 7)), anchor=START)
    if kind < 0.9:
        return CronTrigger(expression=random.choice(list(SECONDS_OF)), time_zone="UTC")
    return DateTrigger(at=START + random.randint(3, 30) * SECOND) if kind < 0.95 else ManualTrigger()
