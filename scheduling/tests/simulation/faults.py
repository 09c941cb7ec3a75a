"""What is done to a cluster: drawn from the seed, planned before the history begins."""

from dataclasses import replace

from scheduling.domain.errors import SchedulingError
from scheduling.domain.job import Job, Misfire
from scheduling.domain.trigger import IntervalTrigger, ManualTrigger
from scheduling.tests.runtime.stage import START

CALLS = (
    *("crash before", "crash after", "freeze before", "freeze before", "freeze before", "freeze after"),
    *("slow before", "slow before", "slow after", "lost request", "lost request", "lost reply", "lost reply"),
)
"""The faults of one call."""

DECIDING = ("claim", "claim", "claim", "open", "finish", "take_over", "die", "assign", "assign", "publish", "register")
"""The calls that change something."""


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


def _trigger(random):
    return (
        IntervalTrigger(seconds=random.choice((1, 2, 3, 7)), anchor=START) if random.random() < 0.9 else ManualTrigger()
    )


def kill(world, machine):
    machine.die("killed")


def freeze(world, machine):
    if machine.frozen:
        return
    seconds = world.random.choice((1, 4, 6, 9))
    machine.frozen = True
    world.history.note(machine.name, "frozen", f"for {seconds} s")
    world.later(seconds, lambda: thaw(world, machine))


def thaw(world, machine):
    machine.frozen = False
    world.history.note(machine.name, "thawed")


def cut(world, machine):
    ports = world.random.choice(({"registry"}, {"registry"}, {"ledger"}, {"registry", "ledger"}))
    seconds = world.random.choice((0.5, 2, 4, 8))
    machine.cut = set(ports)
    world.history.note(machine.name, "cut off", f"from {' and '.join(sorted(ports))} for {seconds} s")
    world.later(seconds, machine.cut.clear)


def storm(world, machine):
    machine.calm = 1 - world.random.choice((0.03, 0.1, 0.3))
    world.history.note(machine.name, "storm", f"{1 - machine.calm:.2f}")
    world.later(world.random.choice((1, 3, 8)), lambda: calm_down(machine))


def ambush(world, machine):
    machine.ambushes[world.random.choice(DECIDING)] = world.random.choice(CALLS)


def calm_down(machine):
    machine.calm = 1.0


def drain(world, machine):
    world.history.note(machine.name, "draining")
    machine.drain()


def join(world, machine):
    world.start_machine()


def edit(world, machine):
    name = world.random.choice(world.names)
    row = world.ledger.tables.jobs[name]
    job = replace(a_job(world.random, name), enabled=world.random.random() < 0.8)
    if row.retired and world.random.random() < 0.5:
        return
    world.history.note(
        "people", "edited", f"{name}: {job.trigger} {job.sharding_total_count} {job.misfire} {job.enabled}"
    )
    row.retired = False
    world.ledger.configure(job)


def retire(world, machine):
    name = world.random.choice(world.names)
    if not world.ledger.tables.jobs[name].retired:
        world.history.note("people", "retired", name)
        world.ledger.retire(name)


def request(world, machine):
    name, key = world.random.choice(world.names), world.random.randint(1, 5)
    try:
        world.ledger.request(name, key=key, asked_by="people")
    except SchedulingError:
        return
    world.history.note("people", "requested", f"{name} {key}")


KINDS = (
    *(kill, freeze, cut, storm, storm, storm, storm, join, join, join, drain),
    *(ambush,) * 10,
    *(freeze, cut, edit, edit, retire, request, request),
)
