"""What `runscheduler` is told on its command line."""

import threading

import pytest
from django.core.management import CommandError, call_command

from scheduling.management.working import start_workers, this_instance


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


def test_more_workers_than_the_system_gives_threads_are_refused_with_the_way_out(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(CommandError, match=r"^--workers 900: .* \(can't start new thread\)\. Ask for fewer") as caught:
        start_workers(900, isolate=lambda *attempt: None, wake=lambda: None)
    assert caught.value.returncode == 1
