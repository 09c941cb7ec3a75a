"""The checker is checked: each kind of violation is provoked by a small history, and by what it says."""

from dataclasses import replace

import pytest

from chaos.checker import CHECKS, check
from chaos.checks.fires import accounted_once
from chaos.checks.windows import Window, match
from chaos.keeping import keep, load
from chaos.shadows import surely_enabled
from chaos.values import Fault, Instance, Item, Job, Marker, Request
from tests.chaos.histories import (
    JOB,
    effects,
    entry,
    execution,
    fire,
    history,
    instead,
    killed,
    paid,
    period,
    rerun,
    retried,
    tree,
    without,
)

GOOD = {"plain": history, "run again": rerun, "once": paid, "retried": retried}


def kinds(found):
    return {violation.kind for violation in check(found)}


@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
def test_a_history_that_keeps_every_promise_has_no_violation(make):
    assert check(make()) == []


def test_a_history_is_kept_in_a_file_as_it_is(tmp_path):
    keep(rerun(), tmp_path / "history.json")
    assert load(tmp_path / "history.json") == rerun()


PLAIN, AGAIN, PAID, RETRIED = history(), rerun(), paid(), retried()
START, LOOK, END = entry("start"), entry("look"), entry("end")
STARTED_AGAIN = next(e for e in AGAIN.entries if e.event == "start" and e.attempt == 2)
SECOND = AGAIN.executions[1]

PROVOKED = {
    # Fires
    "lost fire time": history(fires=(fire(1), fire(3))),
    "fire time twice": history(fires=(*PLAIN.fires, fire(1, id=9))),
    "phantom fire": history(fires=(*PLAIN.fires, fire(1, id=9, fire_time=1013))),
    "wrong count": history(fires=(fire(1), fire(3, first_missed=1020, missed_count=3))),
    "opened early": history(fires=instead(PLAIN.fires, fire(1), fire(1, opened_at=1009.9))),
    "early start": history(entries=instead(PLAIN.entries, START, replace(START, at=1009.9))),
    "phantom run": history(entries=(*PLAIN.entries, entry("start", 3, execution=77, token=2, at=1033.0))),
    "wrong items": history(fires=instead(PLAIN.fires, fire(1), fire(1, total=2))),
    "request": history(requests=(Request(job=JOB, key=5, at=1012.0),)),
    "missed without cause": history(
        fires=(fire(1), fire(2, state="coalesced", reason="nobody_was_up", missed_count=1, first_missed=1020), fire(3))
    ),
    "phantom execution": history(executions=(*PLAIN.executions, execution(9, fire=77))),
    "wrong policy": history(
        fires=(fire(1), fire(2, state="skipped", reason="nobody_was_up", missed_count=1, first_missed=1020), fire(3))
    ),
    "cancelled without cause": history(
        executions=instead(
            PLAIN.executions,
            execution(2),
            execution(2, state="cancelled", reason="coalesced", attempt=0, started_at=None),
        )
    ),
    "cursor moved": history(periods=(period(), period(revision=2, after=1335.0, asked=1035.0, told=1035.1))),
    # Windows
    "missed window": history(entries=tuple(e for e in PLAIN.entries if e.execution != 2)),
    "extra run": history(entries=instead(PLAIN.entries, START, replace(START, at=1018.0))),
    "late re-run": rerun(
        faults=(killed(1020.5, seconds=0.5),),
        entries=instead(AGAIN.entries, STARTED_AGAIN, replace(STARTED_AGAIN, at=1040.0)),
    ),
    # Attempts
    "attempt twice": history(entries=(*PLAIN.entries, replace(START, at=1010.5, token=4))),
    "token twice": history(entries=instead(PLAIN.entries, entry("start", 2), entry("start", 2, token=1))),
    "gap in attempts": history(executions=instead(PLAIN.executions, execution(), execution(attempt=2))),
    "unknown attempt": history(entries=instead(PLAIN.entries, START, replace(START, attempt=2))),
    "token fell": history(entries=instead(PLAIN.entries, entry("start", 2), entry("start", 2, token=0))),
    "overlap": history(entries=instead(PLAIN.entries, END, replace(END, at=1025.0))),
    "unprovoked re-run": rerun(faults=(Fault(kind="edit", nodes=(), begin=1020.5, end=1020.6),)),
    "unprovoked death": history(instances=(Instance(id="a", died_at=1033.0, died_by="b"),)),
    # Retries
    "too many attempts": retried(jobs=(replace(RETRIED.jobs[0], retries=0),)),
    "gave up early": retried(
        executions=instead(RETRIED.executions, RETRIED.executions[1], replace(RETRIED.executions[1], state="failed"))
    ),
    "retried too soon": retried(
        entries=instead(RETRIED.entries, STARTED_AGAIN, replace(STARTED_AGAIN, at=1025.9)),
    ),
    "retried where it failed": retried(
        entries=instead(RETRIED.entries, STARTED_AGAIN, replace(STARTED_AGAIN, instance="a", node="n1")),
    ),
    # Effects
    "once": paid(effects=(*PAID.effects, replace(PAID.effects[0], id=99))),
    "marker": paid(markers=(*PAID.markers[1:], Marker(execution=7, name="pay"))),
    "atomic": history(effects=without(PLAIN.effects, PLAIN.effects[0])),
    "phantom effect": history(effects=(*PLAIN.effects, *effects(3, attempt=2, token=9))),
    "not fenced": rerun(effects=(*AGAIN.effects, *effects(2))),
    # Ledger
    "ledger differs": history(executions=instead(PLAIN.executions, execution(), execution(state="failed"))),
    "lost without cause": rerun(executions=instead(AGAIN.executions, execution(), execution(state="lost"))),
    "timeout": history(
        jobs=(replace(PLAIN.jobs[0], timeout=2),),
        entries=instead(PLAIN.entries, entry("end", 3), entry("end", 3, at=1036.0)),
    ),
    "unsettled": history(executions=instead(PLAIN.executions, execution(3), execution(3, state="running"))),
    "held": history(items=(Item(job=JOB, number=0, token=3, execution=3, instance="a"),)),
    "token unknown": history(items=(Item(job=JOB, number=0, token=2, execution=None, instance=None),)),
    # Registry
    "tree": history(tree=tree(instances={"a": "", "gone": ""})),
    "owners": history(tree=tree(owners={"a": [[0, 0]], "b": [[0, 0]]})),
    # The run
    "too little": history(seconds=600.0),
    "drain": history(exits={"n1": 3}),
    "trouble": history(troubles=("the editor has ended",)),
}


@pytest.mark.parametrize("kind", PROVOKED)
def test_each_kind_of_violation_is_found(kind):
    assert kind in kinds(PROVOKED[kind])


def test_each_check_is_seen_to_fail():
    seen = {each for each in CHECKS for found in PROVOKED.values() if each(found)}
    assert seen == set(CHECKS)


KILLS = Job(id=1, name=JOB, misfire="fire_once", failover=True, timeout=4, kills=True)
TELLS = replace(KILLS, kills=False)

MORE = {
    "an attempt that is killed although it had ended": (
        "ledger differs",
        history(jobs=(KILLS,), executions=instead(PLAIN.executions, execution(3), execution(3, state="killed"))),
    ),
    "an attempt that has timed out in time": (
        "ledger differs",
        history(
            jobs=(TELLS,),
            executions=instead(PLAIN.executions, execution(3), execution(3, state="failed", reason="timed_out")),
        ),
    ),
    "an attempt that begins before the one before it can have been killed": (
        "overlap",
        retried(jobs=(replace(KILLS, timeout=30),), entries=without(RETRIED.entries, RETRIED.entries[-1])),
    ),
    "a token that falls from one attempt to the next": (
        "token fell",
        rerun(entries=instead(AGAIN.entries, STARTED_AGAIN, replace(STARTED_AGAIN, token=1))),
    ),
    "an attempt that begins before the instance of the one before it is dead": (
        "overlap",
        rerun(instances=(Instance(id="a", died_at=1028.5, died_by="b"), *AGAIN.instances[1:])),
    ),
    "a re-run by a fault of another node": ("unprovoked re-run", rerun(faults=(killed(1020.5, node="n2"),))),
    "a re-run by a fault that is too short for it": (
        "unprovoked re-run",
        rerun(faults=(killed(1020.5, kind="freeze short"),)),
    ),
    "a re-run by a restart of ZooKeeper": (
        "unprovoked re-run",
        rerun(faults=(Fault(kind="restart all", nodes=(), begin=1020.5, end=1022.0),)),
    ),
    "a succeeded execution without its effect": ("once", paid(effects=PAID.effects[1:])),
    "a transaction that is lost though its handler ended": (
        "atomic",
        history(effects=tuple(e for e in PLAIN.effects if e.execution != 1)),
    ),
    "a frozen transaction that commits after the take-over": (
        "not fenced",
        rerun(effects=(*AGAIN.effects, *effects(2))),
    ),
    "an execution that is lost in spite of failover": (
        "ledger differs",
        rerun(executions=instead(AGAIN.executions, SECOND, replace(SECOND, state="lost"))),
    ),
    "an execution that succeeded for a handler that never ended": (
        "ledger differs",
        history(entries=without(PLAIN.entries, END)),
    ),
    "an execution that failed though its handler did not": (
        "ledger differs",
        history(executions=instead(PLAIN.executions, execution(), execution(state="failed", reason="raised"))),
    ),
    "an execution that was cancelled by policy after it had begun": (
        "ledger differs",
        history(executions=instead(PLAIN.executions, execution(), execution(state="cancelled", reason="coalesced"))),
    ),
    "an execution that was coalesced though the policy is to skip": (
        "wrong policy",
        history(
            jobs=(replace(PLAIN.jobs[0], misfire="skip"),),
            executions=instead(PLAIN.executions, execution(), execution(state="cancelled", reason="coalesced")),
        ),
    ),
    "a fire whose state is not that of its executions": (
        "unsettled",
        history(fires=instead(PLAIN.fires, fire(), fire(state="failed"))),
    ),
    "an item that nobody owns": ("owners", history(tree=tree(owners={}))),
    "an item that a dead instance owns": ("owners", history(tree=tree(owners={"gone": [[0, 0]]}))),
    "a node that belongs to no folder": ("tree", history(tree=replace(tree(), nodes=99))),
    "a candidate who is dead": ("tree", history(tree=tree(leader={"gone-0000000001": ""}))),
    "a job that nobody has": ("tree", history(tree=tree(jobs={JOB: "", "foreign": ""}))),
    "a double click that makes two fires": (
        "request",
        history(
            requests=(Request(job=JOB, key=5, at=1012.0),),
            fires=(*PLAIN.fires, fire(id=8, run=5), fire(id=9, run=5)),
        ),
    ),
    "a fire that nobody asked for": ("request", history(fires=(*PLAIN.fires, fire(id=9, run=5)))),
    "a fire time under a revision that was not in force": (
        "phantom fire",
        history(fires=instead(PLAIN.fires, fire(2), fire(2, revision=2))),
    ),
    "a fire time that was lost in an edit": (
        "lost fire time",
        history(
            periods=(period(), period(revision=2, after=1025.0), period(revision=3, after=1035.0, enabled=False)),
            fires=(fire(1), fire(2), fire(3, revision=1)),
        ),
    ),
}


@pytest.mark.parametrize("what", MORE)
def test_what_else_can_be_wrong_is_found_too(what):
    kind, found = MORE[what]
    assert kind in kinds(found)


EXCUSED = {
    "a start that was frozen before its first line": rerun(
        faults=(killed(1020.0, kind="freeze long", seconds=9.5),),
        entries=(
            *(e for e in AGAIN.entries if (e.execution, e.attempt) != (2, 1)),
            entry("start", 2, at=1029.6),
            entry("end", 2, at=1029.7, outcome="NoLongerYours"),
        ),
    ),
    "an attempt that was killed before its handler began": rerun(
        entries=tuple(e for e in AGAIN.entries if (e.execution, e.attempt) != (2, 1))
    ),
    "a fire time that was missed while nobody was up": history(
        faults=(killed(1019.0, seconds=5.0),),
        fires=(fire(1), fire(2, state="coalesced", reason="nobody_was_up", missed_count=1, first_missed=1020), fire(3)),
        executions=(execution(1), execution(3)),
        entries=tuple(e for e in PLAIN.entries if e.execution == 1)
        + tuple(entry(event, 3, seen=2 if event == "look" else 0) for event in ("start", "look", "end")),
        effects=(*effects(1), *effects(3)),
    ),
}


@pytest.mark.parametrize(
    ("at", "expected"),
    [(1000, False), (1019, True), (1020.2, False), (1025, False), (1030.2, False), (1030.52, False), (1031, True)],
)
def test_while_an_edit_is_under_way_nobody_knows_whether_a_job_is_enabled(at, expected):
    off = period(revision=2, after=1020.0, enabled=False, asked=1019.9, told=1020.5)
    on = period(revision=3, after=1030.0, enabled=True, asked=1029.9, told=1030.5)
    assert surely_enabled(history(periods=(period(), off, on)), JOB, at) is expected


@pytest.mark.parametrize("what", EXCUSED)
def test_what_a_fault_explains_is_no_violation(what):
    assert check(EXCUSED[what]) == []


def test_a_row_may_stand_for_more_than_are_counted():
    many = fire(2, fire_time=2_500, opened_at=2_501.0, first_missed=1_011, missed_count=1_101, state="skipped")
    found = history(
        periods=(period(every=1, after=1009.0), period(revision=2, after=2_500.0, enabled=False, every=1)),
        cursors=(replace(PLAIN.cursors[0], counted_to=2_500.0),),
        fires=(fire(1), many),
    )
    assert accounted_once(found) == []


def test_a_window_that_may_stay_empty_takes_no_run_from_one_that_must_not():
    may = Window(release=0, deadline=5, must=False, execution=1, text="cancelled")
    must = Window(release=2, deadline=8, must=True, execution=2, text="succeeded")
    assert match([may, must], [3.0], "item") == []
    assert [found.kind for found in match([may, must], [1.0], "item")] == ["missed window"]
    assert [found.kind for found in match([may, must], [3.0, 4.0, 4.5], "item")] == ["extra run"]
