from datetime import UTC, datetime, timedelta

import pytest

from scheduling.domain.job import Job, Misfire
from scheduling.domain.trigger import IntervalTrigger
from scheduling.ports.ledger import Cursor, Cursors
from scheduling.runtime.agenda import PEEKS, Agenda, next_peek

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
JOB = Job(name="job", handler="job", trigger=IntervalTrigger(seconds=10, anchor=START), revision=3)


def agenda(clock=lambda: 0.0, now=START, revision=3, enabled=True, counted_to=START, job=JOB):
    read = Agenda(clock)
    cursor = Cursor(revision=revision, enabled=enabled, counted_to=counted_to)
    read.read({"job": job}, Cursors(now=now, jobs={"job": cursor}))
    return read


def test_the_next_fire_time_counts_from_the_cursor():
    assert agenda().fire_times(["job"]) == {"job": START + timedelta(seconds=10)}


def test_a_disabled_job_and_one_whose_newest_revision_is_not_published_are_not_due():
    assert agenda(enabled=False).fire_times(["job"]) == {}
    assert agenda(revision=4).fire_times(["job"]) == {}
    assert agenda().fire_times(["other"]) == {}


def test_the_ledgers_clock_is_carried_on_by_the_monotonic_one():
    seconds = [100.0]
    read = agenda(clock=lambda: seconds[0])
    seconds[0] += 10
    assert read.now() == START + timedelta(seconds=10)
    assert read.due(["job"]) == {"job": START + timedelta(seconds=10)}
    assert read.seconds_to(START + timedelta(seconds=13)) == 3


def test_a_cursor_never_goes_back():
    read = agenda(counted_to=START + timedelta(seconds=20))
    read.pass_to("job", START)
    assert read.fire_times(["job"]) == {"job": START + timedelta(seconds=30)}
    read.pass_to("job", START + timedelta(seconds=30))
    assert read.fire_times(["job"]) == {"job": START + timedelta(seconds=40)}


def test_one_that_does_not_open_itself_looks_a_few_times_and_then_no_more():
    looked, peeks = START, []
    while peek := next_peek(START, looked):
        peeks.append(peek - START)
        looked = peek
    assert tuple(peeks) == PEEKS


@pytest.mark.parametrize("misfire", Misfire)
@pytest.mark.parametrize("interval", [10, 3600])
@pytest.mark.parametrize("late", [-0.1, 0, 0.1, 9.9, 10, 25, 59.9, 60, 61, 7200])
def test_looking_ahead_changes_nothing_of_what_is_opened(misfire, interval, late):
    trigger = IntervalTrigger(seconds=interval, anchor=START)
    job = Job(name="job", handler="job", trigger=trigger, misfire=misfire, revision=3)
    seconds = [0.0]
    far, near = (agenda(clock=lambda: seconds[0], job=job) for _ in range(2))
    far.look_ahead()
    seconds[0] = interval + late
    assert far.opening("job") == near.opening("job")
    for each in (far, near):
        each.pass_to("job", START + timedelta(seconds=interval))
    assert far.fire_times(["job"]) == near.fire_times(["job"]) == {"job": START + timedelta(seconds=2 * interval)}


def test_nothing_is_asked_of_a_trigger_at_a_fire_time_that_was_looked_ahead_for(monkeypatch):
    seconds = [0.0]
    read = agenda(clock=lambda: seconds[0])
    read.look_ahead()
    seconds[0] = 10.1
    monkeypatch.setattr(IntervalTrigger, "next", None)
    opening = read.opening("job")
    assert opening.fires == (START + timedelta(seconds=10),)
    read.pass_to("job", opening.counted_to)
    assert read.fire_times(["job"]) == {"job": START + timedelta(seconds=20)}
