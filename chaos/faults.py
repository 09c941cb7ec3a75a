"""The faults themselves: each strikes, waits, mends, and is logged with when it began and ended."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from chaos.plan import NAMED, Planned
from chaos.schedulers import Scheduler
from chaos.stage import Stage, eventually
from deploy.servers.zookeeper import Member

UP_SECONDS = 30.0
INSIDE_SECONDS = 8.0
AIM_SECONDS = 0.05
STEPS = (100, -50, 86_400)
"""Seconds by which a clock steps ahead or back."""


def strike(stage: Stage, planned: Planned) -> None:
    """Let one fault happen from beginning to end."""
    _STRIKES[NAMED[planned.kind].target](stage, planned)


def _log(stage: Stage, kind: str, nodes: tuple[str, ...], begin: float, detail: str = "") -> None:
    line = {"kind": kind, "nodes": nodes, "begin": begin, "end": time.time(), "detail": detail}
    stage.note("faults", line)


# To one node


def _strike_node(stage: Stage, planned: Planned) -> None:
    scheduler = stage.schedulers[planned.node]
    with scheduler.busy:
        if not scheduler.is_running():
            scheduler.mend()
        begin, detail = _NODE[planned.kind](stage, scheduler, planned)
        if begin:
            _log(stage, planned.kind, (scheduler.name,), begin, detail)


Began = tuple[float, str]
Node = Callable[[Stage, Scheduler, Planned], Began]


def _kill_working(stage: Stage, scheduler: Scheduler, planned: Planned) -> Began:
    _aim(stage, planned)
    begin, pid = time.time(), scheduler.kill_working()
    stage.over.wait(planned.seconds)
    scheduler.mend()
    return begin, f"pid {pid}"


def _kill_both(stage: Stage, scheduler: Scheduler, planned: Planned) -> Began:
    _aim(stage, planned)
    begin, pid = time.time(), scheduler.working()
    scheduler.kill_all()
    stage.over.wait(planned.seconds)
    scheduler.mend()
    return begin, f"pid {pid}"


def _aim(stage: Stage, planned: Planned) -> None:
    """Let half of them come within 50 ms of a second in which most jobs are due."""
    if planned.draw % 2:
        stage.over.wait(2 - time.time() % 2 + random.Random(planned.draw).uniform(-AIM_SECONDS, AIM_SECONDS))


def _freeze(stage: Stage, scheduler: Scheduler, planned: Planned) -> Began:
    _aim(stage, planned)
    begin, pid = time.time(), scheduler.freeze()
    stage.over.wait(planned.seconds)
    scheduler.thaw(pid)
    return begin, f"pid {pid}"


def _freeze_inside(stage: Stage, scheduler: Scheduler, planned: Planned) -> Began:
    """Freeze it as soon as a handler is within a transaction, after its first write."""
    way = "atomic" if planned.draw % 3 else "once"
    for _try in range(5):
        until = time.monotonic() + INSIDE_SECONDS
        while not scheduler.is_inside(way) and time.monotonic() < until:
            stage.over.wait(0.01)
        begin, pid = time.time(), scheduler.freeze()
        if scheduler.is_inside(way):
            stage.over.wait(planned.seconds)
            scheduler.thaw(pid)
            return begin, f"pid {pid}, {way}, inside"
        scheduler.thaw(pid)
    return 0.0, "was never inside"


def _hold(*directions: str) -> Node:
    def hold(stage: Stage, scheduler: Scheduler, planned: Planned) -> Began:
        begin = time.time()
        scheduler.zookeeper.hold(*directions)
        stage.over.wait(planned.seconds)
        scheduler.zookeeper.mend()
        return begin, ""

    return hold


def _cut_zookeeper(stage: Stage, scheduler: Scheduler, planned: Planned) -> Began:
    begin = time.time()
    scheduler.zookeeper.cut()
    stage.over.wait(planned.seconds)
    scheduler.zookeeper.mend()
    return begin, ""


def _delay(stage: Stage, scheduler: Scheduler, planned: Planned) -> Began:
    begin, late = time.time(), 0.02 + 0.02 * planned.seconds
    scheduler.zookeeper.delay(late)
    scheduler.database.delay(late / 10)
    stage.over.wait(planned.seconds)
    scheduler.zookeeper.mend()
    scheduler.database.mend()
    return begin, f"{late * 1000:.0f} ms to ZooKeeper, {late * 100:.0f} ms to the database, each way"


def _step_clock(stage: Stage, scheduler: Scheduler, planned: Planned) -> Began:
    begin, shift = time.time(), STEPS[planned.draw % len(STEPS)]
    scheduler.shift_clock(shift)
    stage.over.wait(planned.seconds)
    scheduler.shift_clock(0)
    return begin, f"{shift:+} s"


def _cut_database(stage: Stage, scheduler: Scheduler, planned: Planned) -> Began:
    begin = time.time()
    scheduler.database.cut()
    stage.over.wait(planned.seconds)
    scheduler.database.mend()
    return begin, ""


def _hold_database(stage: Stage, scheduler: Scheduler, planned: Planned) -> Began:
    begin = time.time()
    scheduler.database.hold("up", "down")
    stage.over.wait(planned.seconds)
    scheduler.database.mend()
    return begin, ""


_NODE: Mapping[str, Node] = {
    "kill working": _kill_working,
    "kill both": _kill_both,
    "freeze long": _freeze,
    "freeze inside": _freeze_inside,
    "freeze short": _freeze,
    "hold zookeeper": _hold("up", "down"),
    "hold requests": _hold("up"),
    "hold answers": _hold("down"),
    "cut zookeeper": _cut_zookeeper,
    "delay": _delay,
    "clock step": _step_clock,
    "cut database": _cut_database,
    "hold database": _hold_database,
}


# To servers


def _strike_zookeeper(stage: Stage, planned: Planned) -> None:
    with stage.servers:
        begin, members = time.time(), _members(stage, planned)
        for member in members:
            member.kill()
        stage.over.wait(planned.seconds)
        for member in members:
            member.launch()
        for member in members:
            member.await_ready()
        _log(stage, planned.kind, (), begin, ", ".join(f"server {member.number}" for member in members))


def _members(stage: Stage, planned: Planned) -> list[Member]:
    leader = stage.ensemble.leader()
    if planned.kind == "restart leader":
        return [leader]
    if planned.kind == "restart all":
        return stage.ensemble.members
    others = [member for member in stage.ensemble.members if member is not leader]
    return [others[planned.draw % len(others)]]


def _strike_database(stage: Stage, planned: Planned) -> None:
    with stage.database:
        begin, hard = time.time(), planned.draw % 2
        stage.mariadb.kill() if hard else stage.mariadb.stop()
        stage.over.wait(planned.seconds)
        stage.mariadb.start()
        _log(stage, planned.kind, (), begin, "killed" if hard else "stopped")


# To all nodes, one by one


def _roll(stage: Stage, planned: Planned) -> None:
    for scheduler in stage.schedulers:
        if stage.over.is_set():
            return
        with scheduler.busy:
            begin, code = time.time(), scheduler.drain()
            scheduler.mend()
            _log(stage, planned.kind, (scheduler.name,), begin, f"exit code {code}")
            size = scheduler.log.stat().st_size
            eventually(lambda s=scheduler, size=size: _is_registered(s, size), UP_SECONDS)  # type: ignore[misc]


def _is_registered(scheduler: Scheduler, size: int) -> bool:
    with scheduler.log.open("rb") as log:
        log.seek(size)
        return b"is registered" in log.read()


# To a job


def _edit(stage: Stage, planned: Planned) -> None:
    dice = random.Random(planned.draw)
    begin, order = time.time(), _order(dice)
    told = stage.editor.ask(order)
    _note_edit(stage, order, told)
    _log(stage, planned.kind, (), begin, f"{order}: {'refused' if 'refused' in told else 'done'}")
    if order.get("set") == {"enabled": False}:
        stage.over.wait(dice.uniform(1, 6))
        begin, order = time.time(), {"job": order["job"], "set": {"enabled": True}}
        _note_edit(stage, order, stage.editor.ask(order))
        _log(stage, planned.kind, (), begin, str(order))


def _order(dice: random.Random) -> dict[str, Any]:
    """Draw what to edit: the item count, the trigger, whether it is enabled, or a fire by hand."""
    match dice.randrange(4):
        case 0:
            return {"job": "sharded", "set": {"sharding_total_count": dice.randint(2, 12)}}
        case 1:
            job = dice.choice(["sharded", "fenced", "only-once", "quick-once"])
            return {"job": job, "set": {"cron": f"*/{dice.choice([1, 2, 3])} * * * * ?"}}
        case 2:
            return {"job": dice.choice(["sharded", "fenced", "quick-skip", "slow-once"]), "set": {"enabled": False}}
        case _:
            return {"job": dice.choice(["sharded", "only-once", "slow-all"]), "key": dice.randrange(1, 2**40)}


def _note_edit(stage: Stage, order: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    if "refused" not in told:
        stage.note("requests" if "key" in order else "periods", told)
    elif "key" not in order:
        stage.note("troubles", {"text": f"the edit {order} was refused: {told['refused']}"})


_STRIKES: Mapping[str, Callable[[Stage, Planned], None]] = {
    "node": _strike_node,
    "nodes": _roll,
    "zookeeper": _strike_zookeeper,
    "database": _strike_database,
    "job": _edit,
}


def start(stage: Stage, planned: Planned) -> None:
    """Let a fault happen beside others; what goes wrong in the rig itself is a trouble, not a fault."""

    def run() -> None:
        try:
            strike(stage, planned)
        except Exception as error:
            stage.note("troubles", {"text": f"{planned.kind}: {error!r}"[:2000]})

    thread = threading.Thread(target=run, name=planned.kind)
    stage.striking.append(thread)
    thread.start()
