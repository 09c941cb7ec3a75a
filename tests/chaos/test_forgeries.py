"""What a broken product could make of a history, with excuses that are none; each once went unseen."""

from dataclasses import replace

import pytest

from chaos.checker import check
from chaos.checks.enough import counts
from chaos.checks.ledger import equals_journal, timeouts_kept
from chaos.checks.misfires import no_idle_cancels, no_idle_misses
from chaos.concerns import GRACE, MOST, Concerns
from chaos.plan import plan
from chaos.values import Cursor, Fault, Instance, Item, Job, Lead, Share
from tests.chaos.histories import (
    BEGIN,
    JOB,
    effects,
    entry,
    execution,
    fire,
    history,
    instead,
    killed,
    period,
    rerun,
    retried,
)

PLAIN, AGAIN, RETRIED = history(), rerun(), retried()
AGAIN_STARTED = next(e for e in AGAIN.entries if e.event == "start" and e.attempt == 2)
RETRY = next(e for e in RETRIED.entries if e.event == "start" and e.attempt == 2)
LOSSY = Job(id=1, name=JOB, misfire="fire_once", failover=False)
KILLS = Job(id=1, name=JOB, misfire="fire_once", failover=True, timeout=4, kills=True)
ZOOKEEPER = Fault(kind="restart follower", nodes=(), begin=997.0, end=997.1)


def silent(**changes):
    """Return a history that fires once, and accounts for the ten minutes after it in one row, when it is disabled."""
    gone = fire(
        2, fire_time=1590, state="skipped", reason="disabled", missed_count=58, first_missed=1020, opened_at=1595.0
    )
    found = history(
        end=1594.0,
        entries=tuple(e for e in PLAIN.entries if e.execution == 1),
        fires=(fire(1), gone),
        executions=(execution(1),),
        periods=(period(), period(revision=2, after=1595, enabled=False)),
        cursors=(Cursor(job=JOB, revision=2, counted_to=1595),),
        effects=effects(1),
        items=(Item(job=JOB, number=0, token=1, execution=None, instance=None),),
    )
    return replace(found, **changes)


def late(seconds, **changes):
    """Return a history whose first run starts so many seconds after its fire time."""
    plain = silent()
    entries = tuple(replace(e, at=e.at + seconds) for e in plain.entries)
    ran = execution(1, started_at=1010.02 + seconds, finished_at=1011.1 + seconds)
    return replace(plain, entries=entries, executions=(ran,), **changes)


def delayed(seconds):
    """Return a history whose second and third run are so late that each is in the window of the one after it."""
    entries = tuple(replace(e, at=e.at + seconds) if e.execution > 1 else e for e in PLAIN.entries)
    return history(entries=entries)


def missed(**changes):
    """Return a history in which nobody was up for the second fire, as its row says."""
    row = fire(2, state="coalesced", reason="nobody_was_up", missed_count=1, first_missed=1020)
    found = history(
        fires=(fire(1), row, fire(3)),
        executions=(execution(1), execution(3)),
        entries=tuple(e for e in PLAIN.entries if e.execution == 1)
        + tuple(entry(event, 3, seen=2 if event == "look" else 0) for event in ("start", "look", "end")),
        effects=(*effects(1), *effects(3)),
    )
    return replace(found, **changes)


def ended(number, outcome, **changes):
    return instead(PLAIN.entries, entry("end", number), entry("end", number, outcome=outcome, **changes))


def row(number, **changes):
    return instead(PLAIN.executions, execution(number), execution(number, **changes))


OFTEN = tuple(Fault(kind="delay", nodes=("n9",), begin=1000.0 + 17 * n, end=1001.0 + 17 * n) for n in range(35))
STAYED = {"node": "n1", "instance": "a"}

FORGED = {
    "a job that stops firing until it is disabled": ("missed without cause", silent()),
    "a job that stops firing, with faults of others all the time": ("missed without cause", silent(faults=OFTEN)),
    "a job that stops firing, with faults of its node all the time": (
        "missed without cause",
        silent(faults=tuple(replace(fault, nodes=("n1",)) for fault in OFTEN)),
    ),
    "a miss by a fault of another node": (
        "missed without cause",
        missed(nodes=("n1", "n2"), faults=(killed(1019.0, node="n2"),)),
    ),
    "a cancelling by a fault of another node": (
        "cancelled without cause",
        history(
            nodes=("n1", "n2"),
            faults=(killed(1019.0, node="n2"),),
            executions=row(2, state="cancelled", reason="coalesced", attempt=0, started_at=None),
        ),
    ),
    "an execution that waits until its job is disabled": (
        "cancelled without cause",
        history(
            executions=row(2, state="cancelled", reason="disabled", attempt=0, started_at=None, finished_at=1035.0),
        ),
    ),
    "a cancelling long after its item was free": (
        "cancelled without cause",
        history(
            executions=instead(
                row(1, finished_at=1020.5),
                execution(2),
                execution(2, state="cancelled", reason="coalesced", attempt=0, started_at=None, finished_at=1030.0),
            ),
        ),
    ),
    "an attempt that never started, by a fault of another node": (
        "gap in attempts",
        history(nodes=("n1", "n2"), faults=(killed(1009.0, node="n2"),), executions=row(1, attempt=2)),
    ),
    "a run that is late by faults of another node": ("missed window", late(500, faults=OFTEN)),
    "a run that is late without end": (
        "missed window",
        late(MOST + 5, faults=tuple(replace(fault, nodes=("n1",)) for fault in OFTEN)),
    ),
    "runs that are all late, each in the window of the next": ("late start", delayed(11)),
    "a re-run after more than a session, by a fault of another node": (
        "late re-run",
        rerun(
            faults=(killed(1020.5), killed(1021.0, node="n9")),
            entries=instead(AGAIN.entries, AGAIN_STARTED, replace(AGAIN_STARTED, at=1033.0)),
        ),
    ),
    "a re-run so late that another fault comes before it": (
        "late re-run",
        rerun(
            faults=(killed(1020.5), Fault(kind="restart database", nodes=(), begin=1032.0, end=1033.0)),
            entries=instead(AGAIN.entries, AGAIN_STARTED, replace(AGAIN_STARTED, at=1033.0)),
        ),
    ),
    "a re-run after a session, though there was a supervisor to tell": (
        "late re-run",
        rerun(faults=(killed(1020.5, kind="kill working"),)),
    ),
    "executions that are lost, and never started": (
        "lost without cause",
        history(jobs=(LOSSY,), executions=row(1, state="lost", attempt=0, token=None, instance=None)),
    ),
    "an execution that is lost though nobody died": (
        "lost without cause",
        history(jobs=(LOSSY,), executions=row(1, state="lost", reason="instance_died")),
    ),
    "an execution that is lost by a death without a fault": (
        "lost without cause",
        history(
            jobs=(LOSSY,),
            executions=row(1, state="lost", reason="instance_died"),
            instances=(Instance(id="a", died_at=1011.0, died_by="a"),),
        ),
    ),
    "an execution that is lost though it was done": (
        "lost without cause",
        history(
            jobs=(LOSSY,),
            faults=(killed(1015.0),),
            executions=row(1, state="lost", reason="instance_died", finished_at=1016.0),
            instances=(Instance(id="a", died_at=1016.0, died_by="b"),),
        ),
    ),
    "an execution that was given up after one of three attempts": (
        "gave up early",
        history(
            jobs=(replace(PLAIN.jobs[0], retries=2),),
            entries=ended(2, "ValueError"),
            executions=row(2, state="failed", reason="raised", failures=3),
        ),
    ),
    "a result that is told late": (
        "ledger differs",
        history(executions=row(1, finished_at=1019.0)),
    ),
    "a process that is killed before its time": (
        "timeout",
        history(
            jobs=(KILLS,),
            entries=tuple(e for e in PLAIN.entries if e != entry("end", 3)),
            executions=row(3, state="killed", reason="timed_out", failures=1, finished_at=1030.13),
        ),
    ),
    "a handler that has succeeded long after its timeout": (
        "timeout",
        history(
            jobs=(replace(KILLS, timeout=2, kills=False),),
            entries=ended(3, "done", at=1036.0),
            executions=row(3, finished_at=1036.1),
        ),
    ),
    "a transaction that was refused, and is there": ("atomic", history(entries=ended(3, "NoLongerYours"))),
    "a transaction that goes on after a later attempt began, and before it looked": (
        "not fenced",
        rerun(
            entries=tuple(
                replace(e, seen=e.seen + 2) if e.event == "look" and e.token >= 3 else e for e in AGAIN.entries
            ),
            effects=(*AGAIN.effects, *effects(2, at=1028.05)),
        ),
    ),
    "an edit that moves the cursor ahead": (
        "cursor moved",
        history(periods=(period(), period(revision=2, after=1335.0, asked=1035.0, told=1035.1))),
    ),
    "a retry where it failed, by a fault of another node": (
        "retried where it failed",
        retried(faults=(killed(1019.0, node="n2"),), entries=instead(RETRIED.entries, RETRY, replace(RETRY, **STAYED))),
    ),
    "a retry where it failed, by a restart of long ago": (
        "retried where it failed",
        retried(faults=(ZOOKEEPER,), entries=instead(RETRIED.entries, RETRY, replace(RETRY, **STAYED))),
    ),
}


@pytest.mark.parametrize("what", FORGED)
def test_what_is_forged_is_found(what):
    kind, found = FORGED[what]
    assert kind in {violation.kind for violation in check(found)}


EXCUSED = {
    "a miss by a fault of the node that ran it": missed(faults=(killed(1019.0),)),
    "a miss by a fault of the node that owned it for a moment": missed(
        nodes=("n1", "n2"),
        faults=(killed(1019.0, node="n2"),),
        entries=(*missed().entries, entry("start", 7, job="other", node="n2", instance="b")),
        shares=tuple(
            Share(at=at, job=JOB, owners={owner: ((0, 0),)}) for at, owner in ((1000, "a"), (1015, "b"), (1026, "a"))
        ),
    ),
    "a miss by a fault of the leader": missed(
        nodes=("n1", "n2"),
        faults=(killed(1019.0, node="n2"),),
        entries=(*missed().entries, entry("start", 7, job="other", node="n2", instance="b")),
        leads=(Lead(at=1000, instance="b"),),
    ),
}


@pytest.mark.parametrize("what", EXCUSED)
def test_whom_a_fault_concerns_is_excused(what):
    assert no_idle_misses(EXCUSED[what]) == []


def test_what_waits_for_its_next_attempt_until_it_is_disabled_has_not_run_until_then():
    cancelled = row(3, state="cancelled", reason="disabled", failures=1, finished_at=1060.0)
    found = history(
        jobs=(replace(KILLS, timeout=2, kills=False),), entries=ended(3, "ValueError"), executions=cancelled
    )
    assert timeouts_kept(found) == []
    assert equals_journal(found) == []


def test_an_earlier_attempt_has_held_its_item_too():
    cancelled = execution(3, state="cancelled", reason="coalesced", attempt=0, started_at=None, finished_at=1024.1)
    found = rerun(
        faults=(),
        fires=instead(AGAIN.fires, fire(3), fire(3, fire_time=1024)),
        executions=instead(AGAIN.executions, AGAIN.executions[2], cancelled),
    )
    assert no_idle_cancels(found) == []
    assert no_idle_cancels(replace(found, entries=())) != []


def test_edits_are_a_kind_of_fault_and_count_as_none():
    edits = tuple(Fault(kind="edit", nodes=(), begin=BEGIN + n, end=BEGIN + n) for n in range(30))
    found = counts(rerun(faults=(*AGAIN.faults, *edits)))
    assert (found["faults"], found["kinds of faults"]) == (1, 2)


def test_what_runs_again_though_nobody_died_is_no_failover():
    assert counts(AGAIN)["failovers"] == 1
    living = tuple(replace(instance, died_at=None) for instance in AGAIN.instances)
    assert counts(rerun(instances=living))["failovers"] == 0


@pytest.mark.parametrize("seed", range(20))
def test_a_good_part_of_a_run_is_calm_for_everybody(seed):
    faults = tuple(
        Fault(kind=each.kind, nodes=(), begin=each.at, end=each.at + each.seconds) for each in plan(seed, 600, 5)
    )
    concerns = Concerns(history(begin=0.0, end=600.0, faults=faults))
    calm = [at for at in range(600) if concerns.latest((JOB, 0), at, at) == at + GRACE]
    assert len(calm) > 100
