"""What `runscheduler` is told on its command line."""

import pytest
from django.core.management import CommandError, call_command

from scheduling.management.working import this_instance


@pytest.mark.parametrize("capacity", ["0", "-1", "1001"])
def test_a_capacity_that_cannot_be_meant_is_wrong_usage_and_named(capacity):
    with pytest.raises(CommandError, match=f"^--capacity {capacity} is outside 1-1000$") as caught:
        call_command("runscheduler", f"--capacity={capacity}")
    assert caught.value.returncode == 2


def test_a_capacity_that_is_no_number_is_named():
    with pytest.raises(CommandError, match="--capacity: invalid int value: 'much'"):
        call_command("runscheduler", "--capacity=much")


def test_the_capacity_is_shown_to_the_others():
    assert this_instance(7).capacity == 7
