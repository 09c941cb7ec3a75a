"""Pruning in the ledger's double: what is too old or too many is forgotten."""

from datetime import datetime

from scheduling.domain.retention import AT_LEAST, INSTANCES, KEEP_DAYS, KEEP_FIRES, Keep
from scheduling.ports.memory_tables import FireRow, InstanceRow, Tables

AT_ONCE = 1_000
OVERALL = Keep(days=KEEP_DAYS, fires=KEEP_FIRES)


def prune(tables: Tables, now: datetime) -> bool:
    """Forget up to `AT_ONCE` fires, and the instances that ended long ago; return whether to go on."""
    _forget_instances(tables, now)
    held = {item.holder.fire.id for item in tables.items.values() if item.holder}
    doomed = [fire for job in tables.jobs for fire in _of_no_use(tables, job, now) if fire.id not in held]
    for fire in doomed[:AT_ONCE]:
        _forget(tables, fire)
    return len(doomed) > AT_ONCE


def _of_no_use(tables: Tables, job: str, now: datetime) -> list[FireRow]:
    keep = tables.keep.get(job, OVERALL).or_else(OVERALL)
    settled = [(f.settled_at, f.id, f) for f in tables.fires.values() if f.job.name == job and f.settled_at]
    settled.sort(key=lambda each: each[:2])
    too_many = len(settled) - keep.most()
    return [
        fire
        for number, (settled_at, _id, fire) in enumerate(settled)
        if settled_at < keep.oldest(now) or (number < too_many and settled_at < now - AT_LEAST)
    ]


def _forget(tables: Tables, fire: FireRow) -> None:
    executions = {execution.id for execution in fire.executions.values()}
    tables.markers -= {marker for marker in tables.markers if marker[0] in executions}
    del tables.fires[fire.id]


def _forget_instances(tables: Tables, now: datetime) -> None:
    naming = {item.holder.instance for item in tables.items.values() if item.holder}
    gone = [id for id, row in tables.instances.items() if _is_long_gone(row, now) and id not in naming]
    for id in gone:
        del tables.instances[id]


def _is_long_gone(row: InstanceRow, now: datetime) -> bool:
    return row.died_at is not None and row.died_at < now - INSTANCES
