"""What several connections do to each other: deaths and claims, deadlocks, locks that are held for too long, clocks."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Timer
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from scheduling.database import claiming, transactions
from scheduling.database.clock import database_now
from scheduling.database.ledger import DatabaseLedger
from scheduling.database.transactions import transact
from scheduling.domain.errors import LedgerUnavailable
from scheduling.domain.fire import Attempt, ExecutionState, FireState, LiveExecution, Verdict
from scheduling.domain.job import Misfire
from scheduling.domain.misfire import Opening
from scheduling.models import Execution, Fire, Instance, Item, Job
from scheduling.models.ledger import IS_UNSETTLED
from scheduling.ports.ledger import Ledger
from scheduling.tests.ports.database_stage import database_stage, meanwhile, on_thread
from scheduling.tests.ports.stage import JOB, SECONDS, Stage, succeeded

pytestmark = [pytest.mark.usefixtures("transactional_db"), pytest.mark.mariadb]

INSTANCES = ("a", "b", "c", "d", "e", "f")
JOBS = tuple(f"job-{number}" for number in range(12))
ITEMS = 5
ROUNDS = (90, 60, 30)
A_MOMENT = 0.3
LONGER_THAN_A_LOCK_WAIT = 2.3


@pytest.fixture
def stage() -> Stage:
    return database_stage()


def test_a_death_waits_for_a_claim_that_is_under_way(
    stage: Stage, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.open(stage.configure(), 30)
    stage.enter_instances("a")
    live, claiming_now, goes_on = stage.live(), Event(), Event()
    monkeypatch.setattr(claiming, "hold_items", paused(claiming.hold_items, claiming_now, goes_on))
    claim = pool.submit(on_thread, lambda: DatabaseLedger().claim(live, by="a", claim="mine"))
    try:
        assert claiming_now.wait(SECONDS)
        death = pool.submit(on_thread, lambda: DatabaseLedger().die("a", by="b"))
        assert not wait([death], timeout=A_MOMENT).done
    finally:
        goes_on.set()
    assert len(claim.result(SECONDS)) == 1
    assert death.result(SECONDS)
    assert [taken.instance for taken in stage.ledger.take_over()] == ["a"]


def test_instances_that_do_everything_at_one_instant_neither_deadlock_nor_run_anything_twice(stage: Stage) -> None:
    jobs = [stage.configure(name, sharding_total_count=ITEMS) for name in JOBS]
    stage.enter_instances(*INSTANCES)
    deadlocks = count_deadlocks()
    for ago in ROUNDS:
        run_everything(stage, [stage.opening(job, ago) for job in jobs])
    assert count_deadlocks() == deadlocks
    for name in JOBS:
        assert [row.state for row in stage.probe.fires(name)] == [FireState.SUCCEEDED] * len(ROUNDS)
        assert {(row.state, row.attempt) for row in stage.probe.executions(name)} == {(ExecutionState.SUCCEEDED, 1)}
        assert stage.probe.tokens(name) == dict.fromkeys(range(ITEMS), len(ROUNDS))


def run_everything(stage: Stage, openings: list[Opening]) -> None:
    stage.together(lambda ledger, number: run_share(ledger, openings, number), range(len(INSTANCES)))


def run_share(ledger: Ledger, openings: list[Opening], number: int) -> None:
    """Open all, in an order of one's own; claim, finish and settle one's own share, half of which is another's too."""
    shuffle, by = random.Random(number).sample, INSTANCES[number]
    ledger.open(shuffle(openings, len(openings)), by=by)
    mine = [e for e in ledger.look(JOBS).executions if share_of(e) in (number, (number + 1) % len(INSTANCES))]
    attempts = claim_together_or_alone(ledger, shuffle(mine, len(mine)), by)
    ledger.finish([succeeded(attempt) for attempt in shuffle(attempts, len(attempts))])
    ledger.settle({attempt.fire for attempt in attempts})


def share_of(execution: LiveExecution) -> int:
    return (JOBS.index(execution.job) * ITEMS + execution.item) % len(INSTANCES)


def claim_together_or_alone(ledger: Ledger, executions: list[LiveExecution], by: str) -> list[Attempt]:
    together = ledger.claim(executions, by=by, claim=f"{by}-{executions[0].execution}-all") if executions else ()
    alone = (e for e in executions if not together)
    return [*together, *(a for e in alone for a in ledger.claim([e], by=by, claim=f"{by}-{e.execution}"))]


def test_two_that_settle_fires_of_different_ends_do_not_deadlock(stage: Stage) -> None:
    stage.configure()
    deadlocks = count_deadlocks()
    for number in range(5):
        fires = ended_fires(200, first_ago=1_000 * (number + 1))
        # Which end one finds first is not what the other finds first.
        counts = stage.together(lambda ledger, ids: ledger.settle(ids), [fires, fires[1:]])
        assert sum(counts) == len(fires)
    assert count_deadlocks() == deadlocks


def ended_fires(count: int, first_ago: float) -> list[int]:
    """Write fires all of whose executions have ended, well and badly in turn; return their ids."""
    job, now = Job.objects.get(name=JOB), database_now()
    fires = [
        Fire(job=job, fire_time=now - timedelta(seconds=first_ago - n), revision=1, total=1, opened_at=now)
        for n in range(count)
    ]
    for fire in fires:
        fire.state, fire.unsettled = FireState.OPEN, True
    Fire.objects.bulk_create(fires)
    ids = sorted(Fire.objects.filter(IS_UNSETTLED).values_list("id", flat=True))
    ends = (ExecutionState.SUCCEEDED, ExecutionState.FAILED)
    Execution.objects.bulk_create(
        Execution(fire_id=id, job=job, item=0, state=ends[n % 2], due_at=now) for n, id in enumerate(ids)
    )
    return ids


def test_a_result_is_written_whole_although_somebody_holds_the_item_for_too_long(
    several_writers: None, stage: Stage, pool: ThreadPoolExecutor
) -> None:
    (attempt,) = stage.run_all(stage.configure(), 30)
    with items_locked_for_too_long(pool):
        assert stage.ledger.finish([succeeded(attempt)]) == {attempt.execution: Verdict.WRITTEN}
    assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.SUCCEEDED]
    assert stage.ledger.look([JOB]).held == frozenset()


def test_a_fire_is_opened_whole_although_somebody_holds_an_item_for_too_long(
    several_writers: None, stage: Stage, pool: ThreadPoolExecutor
) -> None:
    job = stage.configure(misfire=Misfire.FIRE_ONCE)
    stage.open(job, 60)
    with items_locked_for_too_long(pool):
        stage.open(job, 30)
    assert [row.state for row in stage.probe.executions(JOB)] == [ExecutionState.CANCELLED, ExecutionState.PENDING]


@contextmanager
def items_locked_for_too_long(pool: ThreadPoolExecutor) -> Iterator[None]:
    """Let somebody else hold all items for longer than a statement waits, and then go."""
    locked, goes_on = Event(), Event()

    def lock() -> None:
        with transaction.atomic():
            list(Item.objects.select_for_update())
            locked.set()
            goes_on.wait(SECONDS)

    holder = pool.submit(on_thread, lock)
    try:
        assert locked.wait(SECONDS)
        Timer(LONGER_THAN_A_LOCK_WAIT, goes_on.set).start()
        yield
    finally:
        goes_on.set()
    holder.result(SECONDS)


@pytest.mark.parametrize(("patience", "tries"), [(60, transactions.TRIES), (-1, 1)])
def test_locks_are_tried_again_a_few_times_but_not_for_long(
    monkeypatch: pytest.MonkeyPatch, patience: float, tries: int
) -> None:
    monkeypatch.setattr(transactions, "PATIENCE", patience)
    tried: list[int] = []

    def meet_a_lock() -> None:
        tried.append(1)
        raise OperationalError(1205, "database is locked")

    with pytest.raises(LedgerUnavailable, match="locked"):
        transact(meet_a_lock)
    assert len(tried) == tries


def test_a_transaction_that_reads_before_it_writes_need_not_be_repeated_as_others_write(stage: Stage) -> None:
    stage.enter_instances("a")
    tries: list[int] = []

    def read_and_write() -> None:
        seen = Instance.objects.get(id="a").seen
        if not tries:
            meanwhile(write_unless_locked)
        tries.append(seen)
        Instance.objects.filter(id="a").update(seen=seen + 1)

    transact(read_and_write)
    assert len(tries) == 1
    assert Instance.objects.get(id="a").seen == 1


def write_unless_locked() -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 0")
    with suppress(OperationalError):
        Instance.objects.filter(id="a").update(died_by="b")


def test_the_database_tells_the_time_in_utc_whatever_zone_its_session_is_in(stage: Stage) -> None:
    zones = {"mysql": "SET time_zone = '+08:00'", "postgresql": "SET TIME ZONE 'Asia/Shanghai'"}
    with connection.cursor() as cursor:
        cursor.execute(zones.get(connection.vendor, "SELECT 1"))
    try:
        stage.enter_instances("a")
        written = Instance.objects.get(id="a").joined_at
        assert abs(database_now() - datetime.now(UTC)) < timedelta(seconds=SECONDS)
        assert written and abs(written - datetime.now(UTC)) < timedelta(seconds=SECONDS)
    finally:
        connection.close()


def paused(function: Callable[..., Any], reached: Event, goes_on: Event) -> Callable[..., Any]:
    """Return the function with a wait before it, within the caller's transaction."""

    def pause_and_go_on(*args: Any) -> Any:
        reached.set()
        assert goes_on.wait(SECONDS)
        return function(*args)

    return pause_and_go_on


def count_deadlocks() -> int:
    """Return how many deadlocks the server has broken up since it started."""
    if connection.vendor != "mysql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
        return int(cursor.fetchone()[1])
