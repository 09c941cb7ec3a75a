"""`manage.py jobs run`: what it opens, what it waits for, and its exit codes."""

from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from django.core.management import CommandError
from django.db import connection

from scheduling.database.ledger import DatabaseLedger
from scheduling.domain.cluster import Cluster
from scheduling.domain.fire import ExecutionState, Result
from scheduling.domain.instance import Instance
from scheduling.management.commands.jobs import Command
from scheduling.management.waiting import wait_until_settled
from scheduling.models import Execution, Fire
from scheduling.tests.commanding import jobs, only_one_handler, refusal, save, squeezed

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

INSTANCE = Instance(
    id="one", host="h", pid=1, started_at=datetime(2026, 1, 1, tzinfo=UTC), handlers=frozenset({"work"}), tzdata=""
)


@pytest.fixture(autouse=True)
def no_other_jobs():
    with only_one_handler():
        yield


class Busy(Command):
    """The command, in whose pauses an instance does all that is pending."""

    states: tuple[ExecutionState, ...] = (ExecutionState.SUCCEEDED,)

    def pause(self, seconds):
        ledger = DatabaseLedger()
        ledger.enter(INSTANCE)
        ledger.join(INSTANCE.id)
        attempts = ledger.claim(ledger.look(["work"]).executions, by=INSTANCE.id, claim="claim")
        ledger.finish([self.result(attempt) for attempt in attempts])
        ledger.settle()

    def result(self, attempt):
        state = self.states[attempt.item % len(self.states)]
        return Result(attempt=attempt, state=state, message=f"line 1\nitem {attempt.item} done")


class PartlyFailing(Busy):
    states = (ExecutionState.SUCCEEDED, ExecutionState.FAILED)


def test_a_job_run_by_hand_is_a_fire_of_whoever_asked():
    save(sharding_total_count=2)
    with patch.dict("os.environ", {"LOGNAME": "alice"}):
        output = jobs("run", "work")
    fire = Fire.objects.get()
    assert (fire.asked_by, fire.kind) == ("alice", "manual")
    assert f"fire {fire.id} of work is open" in output
    assert Execution.objects.filter(fire=fire, state="pending").count() == 2


def test_two_runs_are_two_fires():
    save()
    jobs("run", "work")
    jobs("run", "work")
    assert Fire.objects.count() == 2


def test_a_run_that_nobody_will_do_says_how_to_start_an_instance():
    save()
    assert "nobody runs: start `manage.py runscheduler`" in jobs("run", "work")


def test_a_run_says_when_no_live_instance_knows_the_handler():
    save()
    save("orphan", handler="gone")
    DatabaseLedger().show(Cluster(instances={INSTANCE.id: INSTANCE}, leader=INSTANCE.id), by=INSTANCE.id)
    assert "no live instance knows the handler 'gone'" in jobs("run", "orphan")
    assert jobs("run", "work").count("\n") == 1


def test_waiting_ends_with_the_fire_and_shows_each_execution():
    save(sharding_total_count=2)
    output = jobs("run", "work", "--wait", command=Busy())
    assert [line.split("  ")[:3] for line in squeezed(output) if line[0] in "01"] == [
        ["0", "succeeded", "one"],
        ["1", "succeeded", "one"],
    ]
    assert "item 1 done" in output
    assert output.endswith(f"fire {Fire.objects.get().id} of work: succeeded\n")


@pytest.mark.parametrize(("items", "state"), [(1, "failed"), (2, "partly failed")])
def test_a_fire_that_fails_ends_the_command_with_1(items, state):
    save(sharding_total_count=items)
    command = PartlyFailing() if items > 1 else type("Failing", (Busy,), {"states": (ExecutionState.FAILED,)})()
    code, message = refusal("run", "work", "--wait", command=command)
    assert (code, message) == (1, f"fire {Fire.objects.get().id} of work: {state}")


def test_a_fire_that_is_disabled_while_it_waits_ends_the_command_with_1():
    class Disabling(Command):
        def pause(self, seconds):
            jobs("disable", "work")
            DatabaseLedger().settle()

    save()
    assert refusal("run", "work", "--wait", command=Disabling())[0] == 1


def test_a_wait_that_is_over_ends_the_command_with_4_and_leaves_the_fire_open():
    class Impatient(Command):
        def pause(self, seconds):
            raise KeyboardInterrupt

    save()
    code, message = refusal("run", "work", "--wait", command=Impatient())
    assert (code, "`manage.py jobs show work`" in message) == (4, True)
    assert Fire.objects.get().state == "open"


@pytest.mark.django_db(transaction=True)
def test_a_wait_outlasts_a_database_that_is_away():
    save()
    jobs("run", "work")
    fire = Fire.objects.get()
    away = patch.dict(connection.settings_dict, NAME="/nowhere/db.sqlite3", HOST="127.0.0.1", PORT="1")
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        away.stop()
        Busy().pause(seconds)

    connection.close()
    away.start()
    assert wait_until_settled(fire, 60, pause=pause, clock=lambda: 0)
    assert (fire.state, pauses) == ("succeeded", [0.5])


@pytest.mark.parametrize(
    "arguments", [["--timeout", "5"], ["--wait", "--timeout", "0"], ["--wait", "--timeout", "nan"]]
)
def test_a_timeout_that_means_nothing_opens_no_fire(arguments):
    save()
    with pytest.raises(CommandError, match="--timeout"):
        jobs("run", "work", *arguments)
    assert not Fire.objects.exists()


def test_a_disabled_job_is_not_run():
    save(enabled=False)
    assert refusal("run", "work") == (2, "work is disabled: enable it first")
    assert not Fire.objects.exists()
