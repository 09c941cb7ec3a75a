"""Bugs put into the counting of missed fire times turn its tests red; without them the same tests are green."""

import pytest

from scheduling.domain import misfire
from scheduling.domain.job import Misfire
from scheduling.tests.domain import test_misfire
from scheduling.tests.ports.seeding import is_red


@pytest.fixture(params=[True, False], ids=["seeded", "as it is"])
def seeded(request):
    return request.param


def walk(trigger, after, until):
    """Find the last fire time by way of all that come before it."""
    latest, following = None, trigger.next(after)
    while following is not None and following <= until:
        latest, following = following, trigger.next(following)
    return latest


@pytest.mark.parametrize(("name", "replacement"), [("last_fire_time", walk), ("COUNTED_AT_MOST", 10**9)])
@pytest.mark.parametrize("policy", Misfire)
def test_a_walk_through_all_missed_fire_times(seeded, monkeypatch, name, replacement, policy):
    if seeded:
        monkeypatch.setattr(misfire, name, replacement)
    test = test_misfire.test_for_a_year_of_every_second_the_trigger_is_not_asked_thirty_million_times
    assert is_red(test, policy) == seeded
