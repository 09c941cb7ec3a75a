"""What has to be so when a history is over: counted here again, from what people configured and what the ledger has."""

from collections import Counter
from datetime import timedelta

from scheduling.domain.fire import ExecutionState, FireState
from scheduling.tests.simulation.accounts import TIMEOUT
from scheduling.tests.simulation.jobs import SECOND, fire_times

ACCOUNTED = "every fire time is accounted for, once"
REQUESTED = "a request is one fire, however often its key comes"
WHOLE = "a fire has one execution of each of its items, and ends as they do"
SETTLED = "what was opened is settled, and nothing is held for nobody"
OWNED = "every item has one live owner, and shares differ by at most one"
EFFECTS = "what context.once writes is written if its execution succeeded"
LATE = timedelta(seconds=5)
MORE_THAN = 1_101


def check(world):
    """Raise `Broken` for the first promise that does not hold."""
    for name in world.names:
        _check_fire_times(world, name)
    _check_requests(world)
    for fire in world.ledger.tables.fires.values():
        _check_whole(world, fire)
        _check_effects(world, fire)
        _check_settled(world, fire)
    _check_held(world)
    _check_timeouts(world)
    for name in world.names:
        _check_owned(world, name)


def _check_fire_times(world, name):
    counted_to = world.ledger.tables.jobs[name].counted_to
    expected = Counter(_expected(world.ledger.eras[name], counted_to))
    found = Counter(_found(world, name))
    if expected != found:
        times = sorted(time for time in expected | found if expected[time] != found[time])
        wrong = {f"{time:%H:%M:%S}": (expected[time], found[time]) for time in times}
        raise world.history.broken(ACCOUNTED, f"{name}: fire time → (expected, found): {wrong}")
    due = _expected(world.ledger.eras[name], world.now() - LATE)
    if due and max(due) > counted_to:
        raise world.history.broken(ACCOUNTED, f"{name} is counted to {counted_to}, and {max(due)} is due")


def _expected(eras, until):
    """Return the fire times of each trigger for as long as it was the job's, up to `until`."""
    ends = [start for start, _ in eras[1:]] + [until]
    return [
        time
        for (start, trigger), end in zip(eras, ends, strict=True)
        for time in fire_times(trigger, start, min(end, until))
    ]


def _found(world, name):
    for fire in world.ledger.tables.fires.values():
        if fire.job.name != name or fire.run:
            continue
        if not fire.missed_count:
            yield fire.fire_time
            continue
        times = fire_times(fire.job.trigger, fire.first_missed - SECOND, fire.fire_time)
        if len(times) != fire.missed_count < MORE_THAN:
            what = f"{name}: a row says {fire.missed_count}, and stands for {len(times)}"
            raise world.history.broken(ACCOUNTED, what)
        yield from times


def _check_requests(world):
    keys = Counter((fire.job.name, fire.run) for fire in world.ledger.tables.fires.values() if fire.run)
    if keys != Counter(world.requests):
        raise world.history.broken(REQUESTED, f"{dict(keys)} instead of {world.requests}")


def _check_whole(world, fire):
    items = set() if fire.missed_count else set(range(fire.job.sharding_total_count))
    if fire.executions.keys() != items:
        raise world.history.broken(WHOLE, f"{_named(fire)} has {sorted(fire.executions)}, not {sorted(items)}")
    if fire.state is FireState.OPEN or fire.missed_count:
        return
    if any(execution.id in world.ledger.tables.live for execution in fire.executions.values()):
        raise world.history.broken(WHOLE, f"{_named(fire)} is {fire.state}, and something of it goes on")
    ends = Counter(execution.state for execution in fire.executions.values())
    if fire.state not in _ends(ends):
        raise world.history.broken(WHOLE, f"{_named(fire)} is {fire.state}: {dict(ends)}")


def _ends(ends):
    """Return the states that a fire may have whose executions have ended so."""
    succeeded = ends.pop(ExecutionState.SUCCEEDED, 0)
    cancelled = ends.pop(ExecutionState.CANCELLED, 0)
    if not succeeded and not ends:
        return {FireState.SKIPPED, FireState.COALESCED} if cancelled else set()
    if succeeded and ends:
        return {FireState.PARTLY_FAILED}
    return {FireState.SUCCEEDED} if succeeded else {FireState.FAILED}


def _check_effects(world, fire):
    for execution in fire.executions.values():
        done = execution.state is ExecutionState.SUCCEEDED and "once" in world.acts.get(execution.id, "")
        if done and not world.effects_of[execution.id]:
            raise world.history.broken(EFFECTS, f"{_named(fire)} item {execution.item}")


def _check_settled(world, fire):
    if fire.state is FireState.OPEN and fire.fire_time < world.now() - LATE:
        live = world.ledger.tables.live
        left = {e.item: (e.state.value, e.instance) for e in fire.executions.values() if e.id in live}
        raise world.history.broken(SETTLED, f"{_named(fire)} is open: {left}")


def _check_held(world):
    living = {machine.id for machine in world.machines if not machine.gone}
    for (job, item), row in world.ledger.tables.items.items():
        holder = row.holder
        if holder and holder.instance not in living:
            raise world.history.broken(SETTLED, f"{job} item {item} is held by {holder.instance}")
        if holder and not world.runs(holder.instance, holder.id):
            raise world.history.broken(
                SETTLED, f"{job} item {item} is held by {holder.instance}, which does not run it"
            )


def _check_owned(world, name):
    owners, row = world.ensemble.assignments.get(name, {}), world.ledger.tables.jobs[name]
    able = [machine for machine in world.machines if row.job.handler in machine.handlers]
    living = {machine.id for machine in able if not machine.gone and not machine.draining}
    wanted = set() if row.retired else set(range(row.job.sharding_total_count))
    below = {item for item in owners if item < row.job.sharding_total_count}
    if below != wanted or not set(owners.values()) <= living:
        what = f"{name}: {sorted(wanted)} should belong to {sorted(living)}, and does so: {owners}"
        raise world.history.broken(OWNED, what)
    shares = [list(owners.values()).count(id) for id in living]
    if not row.retired and max(shares) - min(shares) > 1:
        raise world.history.broken(OWNED, f"{name}: {owners}")


def _check_timeouts(world):
    for machine in (machine for machine in world.machines if not machine.gone):
        for started in machine.workers.started.values():
            attempt, timeout = started.attempt, started.job.timeout
            holds = world.ledger.valid.get((attempt.job, attempt.item)) == (attempt.execution, attempt.token)
            if holds and timeout and world.seconds > started.began_at + timeout + LATE.total_seconds():
                raise world.history.broken(TIMEOUT, f"{attempt.job} item {attempt.item} holds its item since then")


def _named(fire):
    return f"{fire.job.name} {fire.fire_time:%H:%M:%S}/{fire.run}"
