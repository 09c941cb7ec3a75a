"""`scheduling.ports.ledger.Ledger` on Django's ORM."""

import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import DataError, IntegrityError
from django.db.models import F

from scheduling.database import claiming, configuration, cutting_off, finishing, takeover
from scheduling.database.attempts import AttemptReader
from scheduling.database.clock import DatabaseNow, database_now
from scheduling.database.jobs import JobReader
from scheduling.database.opening import OpeningBatch
from scheduling.database.pruning import Pruner
from scheduling.database.rows import Rows
from scheduling.database.snapshot import SnapshotWriter
from scheduling.database.transactions import answered, transact
from scheduling.domain.cluster import Cluster
from scheduling.domain.errors import BrokenLedger
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.fire import Attempt, ExecutionState, LiveExecution, Look, Result, Verdict
from scheduling.domain.instance import Instance as RunningInstance
from scheduling.domain.job import Job
from scheduling.domain.misfire import Opening
from scheduling.models import Cursor as CursorRow
from scheduling.models import Execution, Instance, Item
from scheduling.models.ledger import IS_LIVE
from scheduling.ports.ledger import Cursor, Cursors, TakenBack

logger = logging.getLogger("scheduling.database")

BATCH = 200


class DatabaseLedger:
    """The ledger in the default database. For one thread; every process, and every thread, makes its own."""

    def __init__(self) -> None:
        self._rows = Rows()
        self._jobs = JobReader()
        self._attempts = AttemptReader(self._rows)
        self._snapshot = SnapshotWriter()
        self._pruner = Pruner()

    # Configuration

    def configure(self, job: Job) -> int:
        return transact(lambda: configuration.configure(job))

    def retire(self, job: str) -> None:
        transact(lambda: configuration.retire(configuration.row_of(job)))

    def request(self, job: str, *, key: int, asked_by: str) -> int:
        return transact(lambda: configuration.request(configuration.row_of(job), key=key, asked_by=asked_by))

    # Reading

    def jobs(self) -> tuple[Job, ...]:
        with answered():
            return self._jobs.read()

    def cursors(self) -> Cursors:
        with answered():
            now = database_now()
            rows = CursorRow.objects.filter(job__retired_at__isnull=True)
            cursors = rows.values_list("job__name", "revision", "enabled", "counted_to")
            return Cursors(
                now=now,
                jobs={n: Cursor(revision=r, enabled=e, counted_to=c) for n, r, e, c in cursors},
            )

    def live_items(self) -> dict[str, frozenset[int]]:
        with answered():
            live = Execution.objects.filter(IS_LIVE, item__gte=F("job__sharding_total_count"))
            pairs = live.values_list("job__name", "item").distinct()
            items: dict[str, frozenset[int]] = {}
            for job, item in pairs:
                items[job] = items.get(job, frozenset()) | {item}
            return items

    def look(self, jobs: Iterable[str]) -> Look:
        with answered():
            names = {id: name for name, id in self._rows.jobs(jobs).items()}
            now = database_now()
            held = Item.objects.filter(job__in=names, execution_id__isnull=False).values_list("job_id", "number")
            live = Execution.objects.filter(IS_LIVE, job__in=names).values_list(*_LOOK)
            executions = self._with_items([_live_execution(names, *row) for row in live if _is_known(row)])
            return Look(now=now, executions=executions, held=frozenset((names[job], item) for job, item in held))

    def _with_items(self, executions: Sequence[LiveExecution]) -> tuple[LiveExecution, ...]:
        lacking = self._rows.lacking((each.job, each.item) for each in executions)
        if not lacking:
            return tuple(executions)
        for job in sorted({key[0] for key in lacking}):
            logger.error("%s: executions wait, as the ledger has no rows for their items: save the job again", job)
        return tuple(each for each in executions if (each.job, each.item) not in lacking)

    # Instances

    def enter(self, instance: RunningInstance) -> None:
        with answered():
            Instance.objects.update_or_create(
                id=instance.id,
                defaults={
                    "host": instance.host,
                    "pid": instance.pid,
                    "tzdata": instance.tzdata,
                    "started_at": instance.started_at,
                },
            )

    def join(self, instance: str) -> None:
        with answered():
            Instance.objects.filter(id=instance, joined_at__isnull=True).update(joined_at=DatabaseNow())

    def joined(self) -> frozenset[str]:
        with answered():
            alive = Instance.objects.filter(joined_at__isnull=False, died_at__isnull=True)
            return frozenset(alive.values_list("id", flat=True))

    def die(self, instance: str, *, by: str) -> bool:
        def declare() -> bool:
            alive = Instance.objects.filter(id=instance, died_at__isnull=True, joined_at__isnull=False)
            return bool(alive.update(died_at=DatabaseNow(), died_by=by))

        return transact(declare)

    def show(self, cluster: Cluster, *, by: str) -> None:
        with answered():
            self._snapshot.write(cluster, by)

    # One fire

    def open(self, openings: Sequence[Opening], *, by: str) -> frozenset[str]:
        jobs = self._rows.jobs(opening.job.name for opening in openings)
        try:
            batch = transact(lambda: self._open(OpeningBatch(openings, jobs, by)))
        except IntegrityError as error:
            raise BrokenLedger(_("a fire to open is in the ledger already: %(error)s"), error=error) from error
        self._attempts.remember(batch.fires())
        if batch.ended:
            self.settle(batch.ended)
        return batch.won()

    def _open(self, batch: OpeningBatch) -> OpeningBatch:
        batch.lock()
        if batch.by_job:
            batch.move_cursors()
            batch.insert()
        return batch

    def claim(self, executions: Sequence[LiveExecution], *, by: str, claim: str) -> tuple[Attempt, ...]:
        try:
            transact(lambda: claiming.claim_all(executions, self._rows, by, claim))
        except claiming.ClaimRefused:
            if len(executions) == 1:
                self._rows.forget((each.job, each.item) for each in executions)
            return ()
        return self.claimed(claim)

    def claimed(self, claim: str) -> tuple[Attempt, ...]:
        with answered():
            return self._attempts.read(claiming.claimed(claim))

    def finish(self, results: Sequence[Result], *, not_after: datetime | None = None) -> dict[int, Verdict]:
        verdicts: dict[int, Verdict] = {}
        for start in range(0, len(results), BATCH):
            verdicts |= self._finish(results[start : start + BATCH], not_after)
        return verdicts

    def _finish(self, results: Sequence[Result], not_after: datetime | None) -> dict[int, Verdict]:
        try:
            return transact(lambda: finishing.write_results(results, self._rows, not_after))
        except DataError as error:
            if len(results) > 1:
                alone = [self._finish([result], not_after) for result in results]
                return {execution: verdict for verdicts in alone for execution, verdict in verdicts.items()}
            # One message that this database cannot store must not keep its item, nor the others of its batch.
            unstored = replace(results[0], message=f"the message could not be stored: {str(error)!a}"[:500])
            return transact(lambda: finishing.write_results([unstored], self._rows, not_after))

    def cut_off(self, results: Sequence[Result], *, not_after: datetime | None = None) -> dict[int, int]:
        return transact(lambda: cutting_off.cut_off(results, self._rows, not_after))

    def release(self, tokens: Mapping[Attempt, int]) -> None:
        transact(lambda: cutting_off.release(tokens, self._rows))

    def progress(self, done: Mapping[Attempt, tuple[int, int]]) -> None:
        with answered():
            for attempt, (made, total) in done.items():
                mine = Execution.objects.filter(id=attempt.execution, token=attempt.token)
                mine.filter(state=ExecutionState.RUNNING).update(progress_done=made, progress_total=total)

    def settle(self, fires: Iterable[int] | None = None) -> int:
        ids = None if fires is None else sorted(fires)
        return transact(lambda: finishing.settle_fires(ids))

    def take_over(self, *, not_after: datetime | None = None) -> tuple[TakenBack, ...]:
        with answered():
            if not takeover.orphans().exists():
                return ()
        return transact(lambda: takeover.take_back(takeover.orphans(), died=True, not_after=not_after))

    def audit(self, instance: str, running: Set[int]) -> tuple[TakenBack, ...]:
        return transact(lambda: takeover.take_back(takeover.not_running(instance, running), died=False))

    def prune(self, *, not_after: datetime | None = None) -> bool:
        return self._pruner.prune(not_after)


_LOOK = ("id", "job_id", "item", "fire__fire_time", "fire__run", "due_at", "instance_id", "state")
_STATES = frozenset(ExecutionState)


def _is_known(row: tuple[Any, ...]) -> bool:
    known = row[-1] in _STATES
    if not known:
        logger.error("execution %s is left alone: its state %r is none", row[0], row[-1])
    return known


def _live_execution(
    names: Mapping[int, str],
    id: int,
    job: int,
    item: int,
    fire_time: datetime,
    run: int,
    due_at: datetime,
    instance: str | None,
    state: str,
) -> LiveExecution:
    return LiveExecution(
        execution=id,
        job=names[job],
        item=item,
        fire_time=fire_time,
        run=run,
        due_at=due_at,
        state=ExecutionState(state),
        failed_on=instance if state == ExecutionState.WAITING else None,
    )
