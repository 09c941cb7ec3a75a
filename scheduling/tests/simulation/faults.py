"""What is done to a cluster: drawn from the seed, planned before the history begins."""

from datetime import timedelta

from scheduling.domain.errors import SchedulingError
from scheduling.tests.simulation.jobs import changed, written

CALLS = (
    *("crash before", "crash after", "freeze before", "freeze before", "freeze before", "freeze after"),
    *("slow before", "slow before", "slow after", "lost request", "lost request", "lost reply", "lost reply"),
)
"""The faults of one call."""

AMBUSHED = (
    *(
        "claim",
        "claim",
        "claim",
        "open",
        "finish",
        "finish",
        "cut_off",
        "take_over",
        "die",
        "assign",
        "assign",
        "publish",
        "register",
    ),
    *("once", "atomic", "handler", "handler", "handler", "handler", "audit", "release", "join", "joined", "beat"),
)
"""Where an ambush waits: calls that change something, and the middle of a handler's transaction."""


def kill(world, machine):
    machine.die("killed")


def kill_watched(world, machine):
    """Kill a process whose supervisor lives."""
    machine.die("killed under its supervisor")
    world.later(world.random.choice((0.05, 0.3)), machine.report)


def freeze(world, machine):
    if machine.frozen:
        return
    seconds = world.random.choice((1, 4, 6, 9))
    machine.frozen = True
    world.history.note(machine.name, "frozen", f"for {seconds} s")
    world.later(seconds, lambda: thaw(world, machine, seconds))


def thaw(world, machine, seconds):
    if not machine.frozen:
        return
    machine.frozen = False
    machine.workers.delay(seconds)
    world.history.note(machine.name, "thawed")


def cut(world, machine):
    """Lose what is sent to a port, or every reply."""
    ports = world.random.choice(({"registry"}, {"registry"}, {"ledger"}, {"registry", "ledger"}))
    what, seconds = world.random.choice(("request", "request", "reply")), world.random.choice((0.5, 2, 4, 8))
    machine.cut = dict.fromkeys(sorted(ports), what)
    world.history.note(
        machine.name, "cut off", f"from {' and '.join(machine.cut)} for {seconds} s, each {what} is lost"
    )
    world.later(seconds, lambda: machine.cut.clear())


def storm(world, machine):
    machine.calm = 1 - world.random.choice((0.03, 0.1, 0.3))
    world.history.note(machine.name, "storm", f"{1 - machine.calm:.2f}")
    world.later(world.random.choice((1, 3, 8)), lambda: calm_down(machine))


def ambush(world, machine):
    machine.ambushes[world.random.choice(AMBUSHED)] = (world.random.choice(CALLS), world.random.choice(ALSO))


def calm_down(machine):
    machine.calm = 1.0


def step_clock(world, machine):
    """Let the clock of the ledger and all machines jump by less than what is noticed."""
    if world.leap:
        return
    # Never forward twice: nobody who was away for both would believe it.
    off = world.clock_is_off.total_seconds()
    seconds = world.random.choice([step for step in (-50, 55) if -50 <= off + step <= 55])
    world.clock_is_off += timedelta(seconds=seconds)
    world.jumped_at = world.seconds
    world.history.note("ledger", "clock jumped", f"by {seconds} s")


def wrong_clock(world, machine):
    """Let a machine's own clock be wrong, until somebody sets it right."""
    if not machine.wrong_by:
        machine.set_clock(world.random.choice((-50, 100, 86_400)))
        world.history.note(machine.name, "clock wrong", f"by {machine.wrong_by} s")
        world.later(world.random.uniform(1, 12), lambda: machine.set_clock(0))


def leap(world, machine):
    """Let it leap, once all know what it was before, until somebody sets it right."""
    if not world.leap and all(machine.gone or machine.knows_clock() for machine in world.machines):
        world.leap = timedelta(seconds=world.random.choice((100, 3_600, 86_400)))
        world.history.note("ledger", "clock leapt", f"by {world.leap}")
        world.later(world.random.uniform(1, 30), lambda: land(world))


def land(world):
    """Set the clock right, if it has leapt."""
    if world.leap:
        world.history.note("ledger", "clock set right")
        world.leap = timedelta()
        world.jumped_at = world.seconds


def wipe(world, machine):
    world.history.note("registry", "wiped")
    world.ensemble.wipe()


def lose_quorum(world, machine):
    seconds = world.random.choice((2, 6, 12))
    world.history.note("registry", "without quorum", f"for {seconds} s")
    world.ensemble.lose_quorum()
    world.later(seconds, world.ensemble.regain_quorum)


def restart_all(world, machine):
    """Let every machine drain, one after the other, and another take its place."""
    world.history.note("people", "rolling restart")
    living = [machine for machine in world.machines if not machine.gone]
    for number, each in enumerate(living):
        world.later(2 * number, lambda each=each: drain(world, each))
        world.later(2 * number, world.start_machine)


def drain(world, machine):
    world.history.note(machine.name, "draining")
    machine.drain()


def join(world, machine):
    world.start_machine()


def edit(world, machine):
    name = world.random.choice(world.names)
    row = world.ledger.tables.jobs[name]
    job = changed(world.random, row.job)
    if row.retired and world.random.random() < 0.5:
        return
    world.history.note("people", "edited", f"{name}: {written(job)}")
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
    world.requests.add((name, key))
    world.history.note("people", "requested", f"{name} {key}")


def nothing(world, machine):
    pass


def race(world, machine):
    """Let a claim wait while items move to a newcomer."""
    others = [m for m in world.machines if not m.gone and m.id != world.ensemble.leader]
    for each in others:  # a leader that waits moves nothing
        each.ambushes["claim"] = (world.random.choice(("slow before", "freeze before")), join)


def late_proof(world, machine):
    """Let the answer to a beat come late, and be the last one."""
    machine.ambushes["beat"] = ("slow after", lose_requests)


def lost_opening(world, machine):
    """Let the answer to an opening be lost, and the registry with it, so that the cursors are not read again."""
    for each in world.machines:  # one of them will open
        each.ambushes["open"] = ("lost reply", lose_requests)


def lost_result(world, machine):
    """Let the answer to a result be lost."""
    machine.ambushes["finish"] = ("lost reply", nothing)


def frozen_handler(world, machine):
    """Let whoever writes next through the fence freeze in the middle of it."""
    for each in world.machines:
        each.ambushes["handler"] = ("freeze before", nothing)


def lose_requests(world, machine):
    # Not this one, which is on its way.
    world.later(0.001, lambda: world.is_mended or machine.cut.update(registry="request"))
    world.later(8, lambda: machine.cut.clear())


ALSO = (*(nothing,) * 4, join, join, cut, edit)
"""What happens while a call that is ambushed meets its fault."""

KINDS = (
    *(kill, freeze, cut, storm, storm, storm, storm, join, join, join, drain),
    *(ambush,) * 10,
    *(race, race, late_proof, lost_opening, lost_result, lost_result),
    *(frozen_handler, frozen_handler),
    *(freeze, cut, edit, edit, retire, request, request),
    *(kill_watched, kill_watched, step_clock, leap, wrong_clock, wipe, lose_quorum, restart_all),
)
