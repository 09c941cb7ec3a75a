"""What a client that is frozen within a transaction has locked is free after a while, and nothing of it counts."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError

from scheduling.database import fence, threads
from scheduling.database.ledger import DatabaseLedger
from scheduling.database.threads import on_ledger_thread, on_worker_thread
from scheduling.domain.errors import LedgerUnavailable
from scheduling.domain.fire import Attempt, ExecutionState
from scheduling.ports.ledger import TakenBack
from scheduling.tests.ports.database_stage import at_the_lock_of_an_item, database_stage, on_thread
from scheduling.tests.ports.stage import JOB, SECONDS, Stage, succeeded

pytestmark = [pytest.mark.usefixtures("several_writers"), pytest.mark.mariadb]

PATIENCE = SECONDS / 2
BETWEEN = 0.05

Wrapper = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    limit_to_a_second(monkeypatch)
    return database_stage()


def limit_to_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((threads, "LEDGER_IDLE_SECONDS"), (fence, "FENCE_IDLE_SECONDS")):
        monkeypatch.setattr(module, name, 1)


@pytest.fixture
def attempt(stage: Stage) -> Attempt:
    return orphaned(stage)


def orphaned(stage: Stage) -> Attempt:
    """Return an attempt whose instance is dead, and not taken over."""
    (attempt,) = stage.run_all(stage.configure(), 30)
    stage.ledger.die("a", by="b")
    return attempt


def test_what_is_frozen_in_the_middle_of_a_result_is_taken_over(stage: Stage, attempt: Attempt) -> None:
    with pytest.raises(LedgerUnavailable):
        frozen_at_the_lock(on_ledger_thread, lambda: DatabaseLedger().finish([succeeded(attempt)]))
    assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.PENDING]


def test_what_is_frozen_at_the_end_of_a_block_is_taken_over(stage: Stage, attempt: Attempt) -> None:
    def write() -> None:
        with stage.fence.atomic(attempt):
            pass

    with pytest.raises(OperationalError):
        frozen_at_the_lock(on_worker_thread, write)
    assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.PENDING]


def frozen_at_the_lock(wrapper: Wrapper, act: Callable[[], object]) -> None:
    """Run `act` on such a thread, and freeze it where it has locked an item, until somebody has taken the item over."""

    def run() -> None:
        with at_the_lock_of_an_item(after=take_over_at_last):
            act()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(on_thread, lambda: wrapper(run)).result(2 * SECONDS)


def take_over_at_last() -> None:
    ends_at = time.monotonic() + PATIENCE
    taken: tuple[TakenBack, ...] = ()
    while not taken:
        assert time.monotonic() < ends_at, "the item is still locked"
        time.sleep(BETWEEN)
        taken = DatabaseLedger().take_over()
