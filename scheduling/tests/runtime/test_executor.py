import threading
from datetime import UTC, datetime

import pytest

from scheduling.domain.errors import BadResult, InvalidProgress, NoLongerYours
from scheduling.domain.fire import Attempt, ExecutionState, Reason
from scheduling.domain.job import Job
from scheduling.domain.trigger import ManualTrigger
from scheduling.ports.memory_fence import MemoryFence
from scheduling.ports.memory_ledger import MemoryLedger
from scheduling.runtime.context import Context
from scheduling.runtime.executor import MESSAGE_BYTES, ThreadWorkers, message_of, run, storable
from scheduling.tests.runtime.stage import handler

NOW = datetime(2026, 3, 1, tzinfo=UTC)
JOB = Job(name="job", handler="job", trigger=ManualTrigger())


def attempt(execution=1, item=0, **fields):
    defaults = {"fire": 1, "job": "job", "token": 1, "number": 1, "fire_time": NOW, "run": 0, "total": 2}
    return Attempt(execution=execution, item=item, **(defaults | fields))


def context(of):
    return Context(of, MemoryFence(MemoryLedger(lambda: NOW)), instance="a-1")


def pool(count, woken, isolate=None):
    return ThreadWorkers(count, enter=lambda function: function(), isolate=isolate, wake=woken.set)


def result_of(function):
    return run(context(attempt()), attempt(), function)


def test_a_text_is_kept_as_the_message():
    result = result_of(lambda context: "archived resume 17")
    assert (result.state, result.message) == (ExecutionState.SUCCEEDED, "archived resume 17")
    assert result_of(lambda context: None).message == ""


@pytest.mark.parametrize("returned", [0, False, {"done": 1}, b"x", object()])
def test_any_other_return_value_fails_the_execution_and_is_named(returned):
    result = result_of(lambda context: returned)
    assert (result.state, result.reason) == (ExecutionState.FAILED, Reason.BAD_RESULT)
    assert type(returned).__name__ in result.message
    assert "return nothing, or a text" in result.message
    with pytest.raises(BadResult):
        message_of(returned)


@pytest.mark.parametrize("error", [ValueError("bad: 失败"), SystemExit(3), KeyboardInterrupt(), RecursionError()])
def test_whatever_a_handler_raises_is_a_failed_execution_with_its_traceback(error):
    def fail(context):
        raise error

    result = result_of(fail)
    assert (result.state, result.reason) == (ExecutionState.FAILED, Reason.RAISED)
    assert result.message.startswith("Traceback")
    assert str(error) in result.message


def test_an_exception_that_cannot_be_formatted_is_a_failed_execution_all_the_same():
    def fail(context):
        raise SyntaxError("m", ("file", 1, "x", "text"))

    result = result_of(fail)
    assert result.state is ExecutionState.FAILED
    assert "SyntaxError" in result.message


def test_messages_are_cut_to_their_end_and_can_be_stored_everywhere():
    assert len(storable("学" * 50_000).encode()) <= MESSAGE_BYTES
    assert storable("a" * 100_000 + "the cause").endswith("the cause")
    assert storable("a\0b\ud800") == "a\\0b\\ud800"


def test_the_context_knows_its_item_and_its_parameter():
    seen = context(attempt(item=1, parameters={1: "master"}))
    assert (seen.item, seen.total, seen.parameter, seen.attempt, seen.token) == (1, 2, "master", 1, 1)
    assert context(attempt(item=0, parameters={1: "master"})).parameter == ""


def test_a_check_raises_once_the_attempt_is_cancelled_although_it_still_holds_its_item():
    held = MemoryFence(MemoryLedger(lambda: NOW))
    held.check = lambda attempt: None
    seen = Context(attempt(), held, instance="a-1")
    seen.check()
    seen.cancel()
    with pytest.raises(NoLongerYours, match="is cancelled"):
        seen.check()


def test_workers_are_bounded_and_bring_results_back():
    woken, go = threading.Event(), threading.Event()
    workers = pool(2, woken)
    for number in (1, 2):
        one = attempt(execution=number)
        workers.start(context(one), one, handler(lambda context: go.wait(10) and None), JOB)
    assert (workers.free(), set(workers.running())) == (0, {1, 2})
    go.set()
    collected = []
    while len(collected) < 2:
        assert woken.wait(10)
        woken.clear()
        collected += workers.collect()
    assert {result.state for result in collected} == {ExecutionState.SUCCEEDED}
    assert workers.free() == 2


def test_a_handler_that_runs_on_although_it_was_cancelled_keeps_its_worker():
    woken, go = threading.Event(), threading.Event()
    workers, one = pool(1, woken), attempt()
    workers.start(context(one), one, handler(lambda context: go.wait(10) and None), JOB)
    try:
        workers.cancel()
        assert (workers.free(), set(workers.running())) == (0, {one.execution})
    finally:
        go.set()
    assert woken.wait(10)
    workers.collect()
    assert workers.free() == 1


def test_workers_for_which_there_are_no_threads_are_refused_before_they_are_given_anything(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError):
        pool(1, threading.Event())


def test_work_goes_to_the_worker_that_is_free_since_last_so_that_the_others_need_no_connection():
    woken, names = threading.Event(), []
    workers = pool(3, woken)
    for number in range(1, 5):
        one = attempt(execution=number)
        workers.start(context(one), one, handler(lambda context: names.append(threading.current_thread().name)), JOB)
        assert woken.wait(10)
        woken.clear()
        assert len(workers.collect()) == 1
    assert len(names) == 4
    assert len(set(names)) == 1


def test_a_context_knows_when_its_handler_has_begun():
    seen = context(attempt())
    assert seen.begun_at is None
    assert run(seen, attempt(), lambda context: "" if context.begun_at else None).state is ExecutionState.SUCCEEDED
    assert seen.begun_at is not None


@pytest.mark.parametrize(("done", "total"), [("1", 2), (1, None), (2, 1), (-1, 1), (0, 2**63), (True, 2), (0.5, 1)])
def test_progress_that_cannot_be_meant_is_refused_where_it_is_reported(done, total):
    with pytest.raises(InvalidProgress, match="write whole numbers"):
        context(attempt()).progress(done, total)


def test_progress_is_told_once_and_cancelling_reaches_the_handler():
    reported, ended = threading.Event(), threading.Event()

    def slow(context):
        context.progress(3, 10)
        reported.set()
        while not context.cancelled:
            ended.wait(0.01)
        return "stopped"

    woken = threading.Event()
    workers = pool(1, woken)
    one = attempt()
    workers.start(context(one), one, handler(slow), JOB)
    assert reported.wait(10)
    assert workers.progress() == {one: (3, 10)}
    assert workers.progress() == {}
    workers.cancel()
    assert woken.wait(10)
    assert [result.message for result in workers.collect()] == ["stopped"]
