"""Small histories by hand: one that keeps every promise, and what a test changes about it."""

import json
from dataclasses import replace

from chaos.values import (
    Cursor,
    Effect,
    Entry,
    Execution,
    Fault,
    Fire,
    History,
    Instance,
    Item,
    Job,
    Marker,
    Period,
    Tree,
)

BEGIN = 1_000
STEP = 10
"""The job fires at 1010, 1020 and 1030, and is disabled at 1035."""

JOB = "fenced"


def fire(number=1, **changes):
    at = BEGIN + STEP * number
    plain = Fire(
        id=number,
        job=JOB,
        fire_time=at,
        run=0,
        revision=1,
        total=1,
        state="succeeded",
        reason="",
        missed_count=0,
        first_missed=None,
        opened_at=at + 0.01,
        settled_at=at + 2.0,
    )
    return replace(plain, **changes)


def execution(number=1, **changes):
    at = BEGIN + STEP * number
    plain = Execution(
        id=number,
        fire=number,
        job=JOB,
        item=0,
        state="succeeded",
        reason="",
        attempt=1,
        token=number,
        instance="a",
        started_at=at + 0.02,
        finished_at=at + 1.1,
    )
    return replace(plain, **changes)


def entry(event, number=1, **changes):
    at = BEGIN + STEP * number
    plain = Entry(
        event=event,
        at=at + {"start": 0.03, "look": 0.04, "end": 1.0}[event],
        node="n1",
        instance="a",
        pid=1,
        job=JOB,
        item=0,
        fire_time=at,
        run=0,
        execution=number,
        attempt=1,
        token=number,
        seen=2 * (number - 1) if event == "look" else 0,
        outcome="done" if event == "end" else "",
    )
    return replace(plain, **changes)


def effects(number, **changes):
    plain = Effect(
        id=2 * number,
        way="atomic",
        job=JOB,
        item=0,
        execution=number,
        attempt=1,
        token=number,
        at=BEGIN + STEP * number + 0.5,
    )
    return (replace(plain, **changes), replace(plain, id=2 * number + 1, **changes))


def period(**changes):
    plain = Period(job=JOB, revision=1, after=BEGIN + 5, every=STEP, anchor=0, enabled=True, total=1, asked=0, told=0)
    found = replace(plain, **changes)
    return found if "asked" in changes else replace(found, asked=found.after - 0.01, told=found.after + 0.01)


def tree(owners=None, **folders):
    document = json.dumps({"owners": {"a": [[0, 0]]} if owners is None else owners})
    found = {"instances": {"a": ""}, "leader": {"a-0000000001": ""}, "jobs": {JOB: ""}, "assignments": {JOB: document}}
    found |= folders
    return Tree(folders=found, nodes=1 + len(found) + sum(map(len, found.values())))


def history(**changes):
    """Return a history of three fires of one item on one node; nothing is wrong with it."""
    numbers = (1, 2, 3)
    plain = History(
        seed=1,
        seconds=0.0,
        begin=BEGIN,
        end=BEGIN + 34.0,
        session=6.0,
        nodes=("n1",),
        entries=tuple(entry(event, number) for number in numbers for event in ("start", "look", "end")),
        periods=(period(), period(revision=2, after=BEGIN + 35, enabled=False)),
        jobs=(Job(id=1, name=JOB, misfire="fire_once", failover=True),),
        cursors=(Cursor(job=JOB, revision=2, counted_to=BEGIN + 35),),
        fires=tuple(map(fire, numbers)),
        executions=tuple(map(execution, numbers)),
        items=(Item(job=JOB, number=0, token=3, execution=None, instance=None),),
        instances=(Instance(id="a", died_at=None, died_by=""),),
        effects=tuple(effect for number in numbers for effect in effects(number)),
        tree=tree(),
        exits={"n1": 0},
    )
    return replace(plain, **changes)


def without(rows, *gone):
    return tuple(row for row in rows if row not in gone)


def instead(rows, old, new):
    assert old in rows
    return tuple(new if row == old else row for row in rows)


def killed(at, kind="kill both", node="n1", seconds=2.0):
    return Fault(kind=kind, nodes=(node,), begin=at, end=at + seconds)


LIVING = (Instance(id="b", died_at=None, died_by=""), Instance(id="c", died_at=None, died_by=""))


def rerun(**changes):
    """Return a history in which n1 dies in the second fire, and n2 runs it again, by right."""
    plain = history()
    again = {"node": "n2", "instance": "b", "attempt": 2, "token": 3}
    moved = {"node": "n2", "instance": "b", "token": 4}
    entries = (
        *(e for e in plain.entries if e.execution == 1),
        entry("start", 2),
        entry("look", 2),
        entry("start", 2, **again, at=1028.0),
        entry("look", 2, **again, at=1028.1, seen=2),
        entry("end", 2, **again, at=1029.0),
        entry("start", 3, **moved),
        entry("look", 3, **moved, seen=4),
        entry("end", 3, **moved),
    )
    second = execution(2, attempt=2, token=3, instance="b", started_at=1027.9, finished_at=1029.1)
    found = history(
        nodes=("n1", "n2"),
        entries=entries,
        faults=(killed(1020.5),),
        fires=(fire(1), fire(2, settled_at=1029.2), fire(3)),
        executions=(execution(1), second, execution(3, token=4, instance="b")),
        items=(Item(job=JOB, number=0, token=4, execution=None, instance=None),),
        instances=(Instance(id="a", died_at=1027.5, died_by="b"), *LIVING),
        effects=(*effects(1), *effects(2, attempt=2, token=3, at=1028.5), *effects(3, token=4)),
        tree=tree(owners={"b": [[0, 0]]}, instances={"b": "", "c": ""}, leader={"b-0000000002": ""}),
        exits={"n1": 0, "n2": 0},
    )
    return replace(found, **changes)


def retried(**changes):
    """Return a history in which the second fire fails on n1, and is attempted again on n2, as its job says."""
    plain = rerun()
    failed = entry("end", 2, outcome="ValueError")
    found = replace(
        plain,
        entries=(*plain.entries, failed),
        faults=(),
        nodes=("n1", "n2", "n3"),
        exits={"n1": 0, "n2": 0, "n3": 0},
        jobs=(Job(id=1, name=JOB, misfire="fire_once", failover=True, retries=1, retry_delay=5),),
        executions=instead(plain.executions, plain.executions[1], replace(plain.executions[1], failures=1)),
        instances=(Instance(id="a", died_at=None, died_by=""), *LIVING),
        tree=tree(owners={"b": [[0, 0]]}, instances={"a": "", "b": "", "c": ""}, leader={"b-0000000002": ""}),
    )
    return replace(found, **changes)


def paid(**changes):
    """Return a history of the job whose effect is written through `once`."""
    job = "only-once"
    numbers = (1, 2, 3)
    found = replace(
        history(),
        entries=tuple(entry(event, n, job=job, seen=0 if event != "look" else n - 1) for n in numbers
                      for event in ("start", "look", "end")),
        periods=(period(job=job), period(job=job, revision=2, after=BEGIN + 35, enabled=False)),
        jobs=(Job(id=1, name=job, misfire="fire_once", failover=True),),
        cursors=(Cursor(job=job, revision=2, counted_to=BEGIN + 35),),
        fires=tuple(fire(n, job=job) for n in numbers),
        executions=tuple(execution(n, job=job) for n in numbers),
        items=(Item(job=job, number=0, token=3, execution=None, instance=None),),
        effects=tuple(effects(n, job=job, way="once")[0] for n in numbers),
        markers=tuple(Marker(execution=n, name="pay") for n in numbers),
        tree=tree(jobs={job: ""}, assignments={job: json.dumps({"owners": {"a": [[0, 0]]}})}),
    )  # fmt: skip
    return replace(found, **changes)
