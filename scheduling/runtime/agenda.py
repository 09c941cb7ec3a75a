"""The agenda: when the jobs are due, counted from their cursors and by the ledger's clock."""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from scheduling.domain.job import Job
from scheduling.domain.misfire import Opening, is_young, opening
from scheduling.ports.ledger import Cursor, Cursors

SECOND_OPENERS_WAIT = timedelta(seconds=0.2)
PEEKS = (timedelta(seconds=0.03), timedelta(seconds=0.08), timedelta(seconds=0.14), SECOND_OPENERS_WAIT)
"""When, after a fire time, an instance that does not open it itself looks whether it has been opened."""


ANSWERS_WITHIN = timedelta(seconds=15)
"""By how much the carried clock may be behind: more than the ledger may take for its answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One job, as far as it is accounted for, and when it is due next; `following` comes after that, once known."""

    cursor: Cursor
    job: Job | None
    fire_time: datetime | None
    following: datetime | None = None


class Agenda:
    """The next fire time of each job, by the last cursors read."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._read_at = 0.0
        self._now = datetime.min.replace(tzinfo=UTC)
        self._entries: dict[str, Entry] = {}
        self._near: set[str] = set()

    def read(self, jobs: Mapping[str, Job], cursors: Cursors, *, is_right: bool = True) -> frozenset[str]:
        """Take over what is published, and the cursors as the ledger has just answered them.

        Where the ledger's clock is not right, it goes on as it was. Return the jobs whose cursors others have moved.
        """
        before = self._entries
        if is_right or not before:
            self._read_at = self._clock()
            self._now = cursors.now
        self._entries = {name: self._entry(name, jobs.get(name), c) for name, c in cursors.jobs.items()}
        self._near |= {name for name, entry in self._entries.items() if entry is not before.get(name)}
        return frozenset(
            n for n, c in cursors.jobs.items() if n in before and c.counted_to > before[n].cursor.counted_to
        )

    def now(self) -> datetime:
        """Return the ledger's clock, by this process's monotonic one: behind it by the answer's way, never ahead."""
        return self._now + timedelta(seconds=self._clock() - self._read_at)

    def latest(self) -> datetime:
        """Return what the ledger's clock cannot have passed by now, unless it has jumped."""
        return self.now() + ANSWERS_WITHIN

    def seconds_to(self, time: datetime) -> float:
        """Return the seconds until `time`, below 0 if it has passed."""
        return (time - self.now()).total_seconds()

    def pass_to(self, name: str, counted_to: datetime) -> None:
        """Note that a job's cursor has moved."""
        entry = self._entries.get(name)
        if entry and counted_to > entry.cursor.counted_to:
            cursor = replace(entry.cursor, counted_to=counted_to)
            if entry.following and counted_to == entry.fire_time:
                self._entries[name] = Entry(cursor=cursor, job=entry.job, fire_time=entry.following)
            else:
                self._entries[name] = self._entry(name, entry.job, cursor)
            self._near.add(name)

    def due(self, names: Iterable[str]) -> dict[str, datetime]:
        """Return job → fire time of those that are due."""
        now = self.now()
        return {name: time for name, time in self.fire_times(names).items() if time <= now}

    def fire_times(self, names: Iterable[str]) -> dict[str, datetime]:
        """Return job → next fire time, without the jobs that never fire or whose newest revision is not published."""
        times = {name: self._entries[name].fire_time for name in names if name in self._entries}
        return {name: time for name, time in times.items() if time is not None}

    def is_near(self, names: Iterable[str], seconds: float) -> bool:
        """Is one of these jobs due within so many seconds?"""
        return any(self.seconds_to(time) < seconds for time in self.fire_times(names).values())

    def peeks_due(self, names: Iterable[str], looked_at: datetime) -> bool:
        """Is it time to look whether others have opened one of these jobs?"""
        now = self.now()
        peeks = [next_peek(time, looked_at) for time in self.due(names).values()]
        return any(peek and peek <= now for peek in peeks)

    def seconds_to_first(self, names: Iterable[str], own: Set[str], looked_at: datetime) -> float:
        """Return the seconds until one of these is due, or, unless it is an `own` one, has to be looked for."""
        times = [self._wake_at(name, time, own, looked_at) for name, time in self.fire_times(names).items()]
        return min(map(self.seconds_to, times), default=float("inf"))

    def opening(self, name: str) -> Opening | None:
        """Return what to open of a job now."""
        entry, now = self._entries.get(name), self.now()
        if entry is None or entry.job is None:
            return None
        only = _only_one_due(entry, now)
        if only:
            # No policy says anything else, and asking it would take long enough to make a hundred jobs late.
            return Opening(job=entry.job, counted_to=only, fires=(only,))
        return opening(entry.job, entry.cursor.counted_to, now)

    def look_ahead(self) -> None:
        """Find out, while nothing is due, what follows the next fire times."""
        while self._near:
            name = self._near.pop()
            entry = self._entries.get(name)
            if entry and entry.job and entry.fire_time:
                self._entries[name] = replace(entry, following=entry.job.trigger.next(entry.fire_time))

    def _wake_at(self, name: str, fire_time: datetime, own: Set[str], looked_at: datetime) -> datetime:
        if fire_time > self.now() or name in own:
            return fire_time
        return next_peek(fire_time, looked_at) or fire_time

    def _entry(self, name: str, job: Job | None, cursor: Cursor) -> Entry:
        known = self._entries.get(name)
        if known and known.cursor == cursor and known.job is job:
            return known
        fires = job is not None and job.revision == cursor.revision and cursor.enabled
        fire_time = job.trigger.next(cursor.counted_to) if job and fires else None
        return Entry(cursor=cursor, job=job, fire_time=fire_time)


def _only_one_due(entry: Entry, now: datetime) -> datetime | None:
    """Return the fire time that is due, if it is in time and surely the only one."""
    if not entry.job or not entry.fire_time or not entry.following or not entry.fire_time <= now < entry.following:
        return None
    return entry.fire_time if is_young(entry.job, entry.fire_time, now) else None


def next_peek(fire_time: datetime, looked_at: datetime) -> datetime | None:
    """Return when to look next for a fire that another instance opens; None once its opener's time is over."""
    return next((fire_time + after for after in PEEKS if fire_time + after > looked_at), None)
