"""What has to be so when a history is over: counted here again, from what people configured and what the ledger has."""

from collections import Counter
from datetime import timedelta

from scheduling.domain.fire import FireState
from scheduling.domain.trigger import IntervalTrigger

ACCOUNTED = "every fire time is accounted for, once"
SETTLED = "what was opened is settled, and nothing is held for nobody"
OWNED = "every item has one live owner, and shares differ by at most one"
LATE = timedelta(seconds=5)
MORE_THAN = 1_101


def check(world):
    """Raise `Broken` for the first promise that does not hold."""
    for name in world.names:
        _check_fire_times(world, name)
    _check_settled(world)
    _check_owned(world)


def _check_fire_times(world, name):
    counted_to = world.ledger.tables.jobs[name].counted_to
    expected = Counter(_expected(world.ledger.segments[name], counted_to))
    found = Counter(_found(world, name))
    if expected != found:
        wrong = {
            f"{time:%H:%M:%S}": (expected[time], found[time])
            for time in expected | found
            if expected[time] != found[time]
        }
        raise world.history.broken(ACCOUNTED, f"{name}: fire time → (expected, found): {wrong}")
    due = _expected(world.ledger.segments[name], world.now() - LATE)
    if due and max(due) > counted_to:
        raise world.history.broken(ACCOUNTED, f"{name} is counted to {counted_to}, and {max(due)} is due")


def _expected(segments, until):
    """Return the fire times of each trigger for as long as it was the job's, up to `until`."""
    ends = [start for start, _ in segments[1:]] + [until]
    times = []
    for (start, trigger), end in zip(segments, ends, strict=True):
        if isinstance(trigger, IntervalTrigger):
            times += _times(trigger, start, min(end, until))
    return times


def _times(trigger, after, until):
    first = int((after - trigger.anchor).total_seconds() // trigger.seconds) + 1
    last = int((until - trigger.anchor).total_seconds() // trigger.seconds)
    return [trigger.anchor + timedelta(seconds=n * trigger.seconds) for n in range(max(first, 1), last + 1)]


def _found(world, name):
    for fire in world.ledger.tables.fires.values():
        if fire.job.name != name or fire.run:
            continue
        if not fire.missed_count:
            yield fire.fire_time
            continue
        times = _times(fire.job.trigger, fire.first_missed - timedelta(seconds=1), fire.fire_time)
        if len(times) != fire.missed_count < MORE_THAN:
            raise world.history.broken(
                ACCOUNTED, f"{name}: a row says {fire.missed_count}, and stands for {len(times)}"
            )
        yield from times


def _check_settled(world):
    tables = world.ledger.tables
    old = world.now() - LATE
    for fire in tables.fires.values():
        if fire.state is FireState.OPEN and fire.fire_time < old:
            left = {e.item: (str(e.state), e.instance) for e in fire.executions.values() if e.id in tables.live}
            raise world.history.broken(SETTLED, f"{fire.job.name} {fire.fire_time:%H:%M:%S}/{fire.run} is open: {left}")
    living = {machine.id for machine in world.machines if not machine.gone}
    for (job, item), row in tables.items.items():
        if row.holder and row.holder.instance not in living:
            raise world.history.broken(SETTLED, f"{job} item {item} is held by {row.holder.instance}")


def _check_owned(world):
    tables = world.ledger.tables
    living = {machine.id for machine in world.machines if not machine.gone and not machine.draining}
    for name in world.names:
        owners = world.ensemble.assignments.get(name, {})
        row = tables.jobs[name]
        wanted = set() if row.retired else set(range(row.job.sharding_total_count))
        above = {item for item in owners if item >= row.job.sharding_total_count}
        if set(owners) - above != wanted or not set(owners.values()) <= living:
            raise world.history.broken(OWNED, f"{name}: {wanted} should belong to {living}, and does so: {owners}")
        shares = Counter(dict.fromkeys(living, 0)) + Counter(owners.values())
        counts = [shares[id] for id in living]
        if not row.retired and max(counts) - min(counts) > 1:
            raise world.history.broken(OWNED, f"{name}: {dict(shares)}")
