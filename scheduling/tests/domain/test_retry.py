from datetime import UTC, datetime, timedelta

import pytest

from scheduling.domain.cluster import Cluster, taker
from scheduling.domain.errors import InvalidJob
from scheduling.domain.fire import ExecutionState, LiveExecution
from scheduling.domain.instance import Instance
from scheduling.domain.job import Job
from scheduling.domain.retry import (
    Backoff,
    Retry,
    check_delay,
    check_longest_delay,
    check_retries,
    delay_after_deaths,
    retried_by,
)
from scheduling.domain.trigger import ManualTrigger

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def delays(retry, count):
    found = [retry.delay_after(failures) for failures in range(1, count + 1)]
    return [delay if delay is None else delay.total_seconds() for delay in found]


def test_a_fixed_delay_stays_and_ends_with_the_retries():
    assert delays(Retry(most=3, delay=10), 5) == [10, 10, 10, None, None]
    assert delays(Retry(), 1) == [None]


def test_an_exponential_delay_doubles_up_to_its_maximum():
    retry = Retry(most=6, delay=10, backoff=Backoff.EXPONENTIAL, delay_most=60)
    assert delays(retry, 7) == [10, 20, 40, 60, 60, 60, None]


def test_a_maximum_below_the_delay_shortens_nothing():
    assert delays(Retry(most=2, delay=90, backoff=Backoff.EXPONENTIAL, delay_most=60), 2) == [90, 90]


def test_the_last_of_a_hundred_retries_has_a_delay_that_can_be_added_to_a_time():
    retry = Retry(most=100, delay=7 * 86_400, backoff=Backoff.EXPONENTIAL, delay_most=7 * 86_400)
    assert retry.delay_after(100) == timedelta(days=7)


@pytest.mark.parametrize("count", [-1, 101])
def test_other_numbers_of_retries_are_refused(count):
    with pytest.raises(InvalidJob, match=str(count)):
        check_retries(count)


@pytest.mark.parametrize("seconds", [-1, 7 * 86_400 + 1])
def test_other_delays_are_refused(seconds):
    with pytest.raises(InvalidJob, match=str(seconds)):
        check_delay(seconds)


def test_a_longest_delay_below_a_delay_that_doubles_is_refused():
    with pytest.raises(InvalidJob, match="5 s are shorter than the retry delay, 20 s"):
        check_longest_delay(5, 20, Backoff.EXPONENTIAL)
    check_longest_delay(20, 20, Backoff.EXPONENTIAL)
    check_longest_delay(5, 20, Backoff.FIXED)


@pytest.mark.parametrize("number", [True, 1.5, "1", None])
def test_what_is_no_whole_number_is_refused(number):
    with pytest.raises(InvalidJob, match="is not a whole number from 0 to 100"):
        check_retries(number)


@pytest.mark.parametrize(
    ("failed_on", "able", "expected"),
    [
        ("a", "abc", "b"),
        ("b", "abc", "c"),
        ("c", "abc", "a"),
        ("x", "abc", "a"),
        ("a", "a", "owner"),
        ("a", "", "owner"),
    ],
)
def test_the_next_by_id_retries_and_alone_the_owner(failed_on, able, expected):
    assert retried_by(failed_on, "owner", able) == expected


def cluster(elsewhere=True, able="abc", draining=""):
    job = Job(name="job", handler="h", trigger=ManualTrigger(), retry=Retry(most=1, elsewhere=elsewhere))
    instances = {
        id: Instance(
            id=id,
            host="h",
            pid=1,
            started_at=NOW,
            tzdata="",
            handlers=frozenset({"h"} if id in able else ()),
            draining=id in draining,
        )
        for id in "abc"
    }
    return Cluster(instances=instances, jobs={"job": job}, assignments={"job": {0: "a"}})


def execution(failed_on=None):
    state = ExecutionState.WAITING if failed_on else ExecutionState.PENDING
    return LiveExecution(
        execution=1, job="job", item=0, fire_time=NOW, run=0, due_at=NOW, state=state, failed_on=failed_on
    )


def test_the_owner_takes_what_has_not_failed_and_what_is_not_to_move():
    assert taker(execution(), cluster()) == "a"
    assert taker(execution("a"), cluster(elsewhere=False)) == "a"


def test_what_failed_moves_to_the_next_that_knows_the_handler_and_is_not_draining():
    assert taker(execution("a"), cluster()) == "b"
    assert taker(execution("a"), cluster(able="ac")) == "c"
    assert taker(execution("a"), cluster(draining="b")) == "c"
    assert taker(execution("a"), cluster(able="a")) == "a"


def test_what_failed_on_one_that_is_gone_moves_too():
    assert taker(execution("b-old"), cluster()) == "c"


def test_what_instances_die_with_is_begun_again_later_each_time_and_not_together():
    assert [delay_after_deaths(deaths, 0.5).total_seconds() for deaths in range(1, 6)] == [0, 1, 2, 4, 8]
    assert delay_after_deaths(3, 0.0) * 3 == delay_after_deaths(3, 1.0)
