"""What `@job` declares."""

from unittest.mock import patch

import pytest

from scheduling import job
from scheduling.domain.errors import InvalidJob, UnknownHandler
from scheduling.runtime.handlers import HANDLERS, handler_of


@pytest.fixture(autouse=True)
def no_other_handlers():
    with patch.dict(HANDLERS, clear=True):
        yield


def work(context):
    pass


def other_work(context):
    pass


def test_a_declared_function_stays_as_it_is():
    assert job("work")(work) is work


def test_a_function_is_found_under_the_name_it_is_declared_with():
    job("nightly-work", cron="0 0 3 * * ?")(work)
    assert handler_of(work).name == "nightly-work"
    assert handler_of(work).cron == "0 0 3 * * ?"


def test_a_function_may_run_several_jobs():
    for name in ("work-a", "work-b"):
        job(name)(work)
    assert [handler.function for handler in HANDLERS.values()] == [work, work]


def test_two_functions_of_one_name_are_refused_and_both_are_named():
    job("work")(work)
    with pytest.raises(InvalidJob, match=r"'work': .*test_handlers\.work and .*test_handlers\.other_work; rename one"):
        job("work")(other_work)
    assert HANDLERS["work"].function is work


def test_a_reloaded_module_declares_its_functions_again():
    def reloaded(context):
        pass

    reloaded.__module__, reloaded.__qualname__ = work.__module__, work.__qualname__
    job("work")(work)
    job("work", interval=5)(reloaded)
    assert (HANDLERS["work"].function, HANDLERS["work"].interval) == (reloaded, 5)


def test_a_function_that_no_code_declares_is_no_handler():
    with pytest.raises(UnknownHandler, match=r"no code declares the handler '.*test_handlers\.work'"):
        handler_of(work)
