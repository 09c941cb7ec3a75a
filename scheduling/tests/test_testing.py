"""Handlers in a user's own tests."""

from datetime import UTC, datetime, timedelta, timezone
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Group
from django.test import TestCase

from scheduling import Context, job
from scheduling.domain.errors import BadResult, InvalidJob, UnknownHandler
from scheduling.models import Execution, Fire, Item, Marker
from scheduling.runtime.handlers import HANDLERS
from scheduling.testing import run


@pytest.fixture(autouse=True)
def no_other_handlers():
    with patch.dict(HANDLERS, clear=True):
        yield


def declared(**options):
    """Declare a handler that keeps its context; return it and what it kept."""

    seen: list[Context] = []

    def handler(context):
        seen.append(context)

    job("work", **options)(handler)
    return handler, seen


def context_of_run(options, **arguments):
    handler, seen = declared(**options)
    run(handler, **arguments)
    return seen[0]


def test_a_run_shows_what_the_handler_returned_and_how_far_it_was():
    @job("work")
    def work(context):
        context.progress(3, 4)
        return "three of four"

    assert (run(work).result, run(work).progress, run(work).done) == ("three of four", (3, 4), ())


def test_what_the_handler_raises_reaches_the_test():
    @job("work")
    def work(context):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(work)


@pytest.mark.parametrize("value", [0, False, b"done", ["done"]])
def test_a_result_that_would_fail_the_execution_fails_the_test(value):
    @job("work")
    def work(context):
        return value

    with pytest.raises(BadResult, match="return nothing, or a text"):
        run(work)


def test_a_function_without_a_declaration_is_refused():
    with pytest.raises(UnknownHandler, match=r"write @job"):
        run(print)


def test_total_and_parameters_are_those_of_the_declaration():
    context = context_of_run({"sharding_total_count": 3, "item_parameters": "0=bachelor,1=master,2=doctor"}, item=1)
    assert (context.item, context.total, context.parameter) == (1, 3, "master")
    assert context.parameters == {0: "bachelor", 1: "master", 2: "doctor"}


def test_the_total_grows_with_an_item_that_the_declaration_has_not():
    assert context_of_run({}, item=4).total == 5


def test_a_smaller_total_leaves_out_the_parameters_beyond_it():
    context = context_of_run({"sharding_total_count": 2, "item_parameters": "0=bachelor,1=master"}, total=1)
    assert context.parameters == {0: "bachelor"}


def test_a_given_parameter_wins_over_the_declared_one():
    context = context_of_run({"item_parameters": "0=bachelor"}, parameter="doctor")
    assert (context.parameter, context.parameters) == ("doctor", {0: "doctor"})


def test_the_fire_time_is_a_whole_second_in_utc():
    assert context_of_run({}).fire_time.microsecond == 0
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=8)))
    assert context_of_run({}, fire_time=noon).fire_time.isoformat() == "2026-01-01T04:00:00+00:00"


def test_a_later_attempt_has_a_larger_token():
    first, second = (context_of_run({}, attempt=number) for number in (1, 2))
    assert (second.attempt, second.token > first.token) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"item": 2, "total": 2}, "item 2 is outside 0-1"),
        ({"item": -1}, "item -1 is outside 0-0"),
        ({"total": 0}, "0 is not a whole number from 1 to 10000"),
        ({"attempt": 0}, "attempt 0"),
        ({"fire_time": datetime(2026, 1, 1)}, "2026-01-01T00:00:00 has no time zone"),
    ],
)
def test_a_run_that_no_scheduler_would_start_is_refused(arguments, message):
    handler, seen = declared()
    with pytest.raises(InvalidJob, match=message):
        run(handler, **arguments)
    assert not seen


@pytest.mark.django_db
def test_once_runs_a_function_once_under_each_name():
    @job("work")
    def work(context):
        results = [context.once(name, lambda: Group.objects.create(name=context.job).name) for name in ("a", "a")]
        context.once("b", lambda: None)
        return str(results)

    outcome = run(work)
    assert (outcome.result, outcome.done) == ("['work', None]", ("a", "b"))


@pytest.mark.django_db
def test_what_once_wrote_before_an_error_is_undone_and_may_be_done_again():
    @job("work")
    def work(context):
        def write():
            Group.objects.create(name="written")
            raise OSError

        with pytest.raises(OSError):
            context.once("a", write)
        assert not Group.objects.exists()
        return context.once("a", lambda: "at the second try")

    assert run(work).result == "at the second try"


@pytest.mark.django_db
@pytest.mark.parametrize("way", ["atomic", "once"])
def test_a_transaction_within_another_fails_as_it_would_in_production(way):
    @job("work")
    def work(context):
        with context.atomic():
            if way == "once":
                context.once("a", lambda: None)
            with context.atomic():
                pass

    with pytest.raises(RuntimeError, match="durable"):
        run(work)


class InATestCaseOfDjango(TestCase):
    def test_a_run_writes_what_the_handler_writes_and_nothing_into_the_ledger(self):
        @job("work")
        def work(context):
            with context.atomic():
                Group.objects.create(name="written")

        run(work, fire_time=datetime(2026, 1, 1, tzinfo=UTC))
        assert Group.objects.count() == 1
        ledger = (Fire.objects, Execution.objects, Marker.objects, Item.objects.filter(job__name="work"))
        assert not any(rows.exists() for rows in ledger)
