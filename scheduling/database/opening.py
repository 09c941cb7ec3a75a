"""Opening: the cursor moves in the same transaction that writes the fires it passes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from django.db.models import QuerySet

from scheduling.database.attempts import OpenFire
from scheduling.database.clock import database_now
from scheduling.database.insertion import BATCH, insert_executions, insert_fires, written_parameters
from scheduling.domain.fire import ExecutionState, FireState, Reason
from scheduling.domain.job import Misfire
from scheduling.domain.misfire import Opening, oldest_to_catch_up
from scheduling.models import Cursor, Execution, Fire, Item
from scheduling.models.ledger import IS_LIVE


class OpeningBatch:
    """What one transaction opens: call `lock`, and if that leaves something to open, `move_cursors` and `insert`."""

    def __init__(self, openings: Sequence[Opening], jobs: Mapping[str, int], by: str) -> None:
        self.by = by
        self.by_job = {jobs[opening.job.name]: opening for opening in openings}
        self.ids: dict[tuple[int, datetime], int] = {}
        self.ended: set[int] = set()

    def won(self) -> frozenset[str]:
        """Return the names of the jobs that are opened."""
        return frozenset(opening.job.name for opening in self.by_job.values())

    def fires(self) -> Iterable[OpenFire]:
        """Return the fires that are opened."""
        for (job, fire_time), id in self.ids.items():
            opened = self.by_job[job].job
            total, parameters = opened.sharding_total_count, opened.item_parameters
            yield OpenFire(id=id, fire_time=fire_time, run=0, total=total, parameters=parameters)

    def lock(self) -> None:
        """Lock the cursors, in order, and keep the openings that their cursors still allow."""
        cursors = Cursor.objects.select_for_update().filter(job__in=self.by_job).order_by("job_id")
        locked = list(cursors.values_list("job_id", "revision", "enabled", "counted_to"))
        self.now = database_now()
        self.by_job = {
            job: self.by_job[job]
            for job, revision, enabled, counted_to in locked
            if enabled and self._allows(self.by_job[job], revision, counted_to)
        }

    def _allows(self, opening: Opening, revision: int, counted_to: datetime) -> bool:
        return revision == opening.job.revision and opening.follows(counted_to) and opening.counted_to <= self.now

    def move_cursors(self) -> None:
        """Account for the fire times up to each opening's `counted_to`."""
        times = sorted((opening.counted_to, job) for job, opening in self.by_job.items())
        for counted_to, pairs in groupby(times, key=lambda pair: pair[0]):
            Cursor.objects.filter(job__in=[job for _, job in pairs]).update(counted_to=counted_to)

    def insert(self) -> None:
        """Insert fires and executions, and apply the misfire policies to what was opened before and not claimed.

        Afterwards `ended` has the fires that may have nothing left to run.
        """
        # Missed ones first, so that in the order of ids, too, they come before what they are coalesced into.
        Fire.objects.bulk_create(self._missed(), BATCH)
        insert_fires(self.by_job, self.by, self.now)
        opened = Fire.objects.filter(job__in=self.by_job, fire_time__in=self._fire_times(), run=0, state=FireState.OPEN)
        found = opened.values_list("job_id", "fire_time", "id")
        # Not one that is still open since another opening, at a time that is opened for another job now.
        self.ids = {(job, time): id for job, time, id in found if time in self.by_job[job].fires}
        self._link_coalesced()
        earlier = list(_unclaimed().filter(job__in=self.by_job))
        self._insert_executions()
        self._cancel_held()
        self._cancel_unclaimed(earlier)

    def _insert_executions(self) -> None:
        wanted = sum(len(o.fires) * o.job.sharding_total_count for o in self.by_job.values())
        insert_executions(self.ids.values(), wanted)

    def _missed(self) -> list[Fire]:
        return [
            Fire(
                job_id=job,
                revision=opening.job.revision,
                total=opening.job.sharding_total_count,
                parameters=written_parameters(opening),
                opened_at=self.now,
                opener=self.by,
                fire_time=missed.last,
                state=missed.state,
                reason=missed.reason,
                missed_count=missed.count,
                first_missed=missed.first,
                settled_at=self.now,
            )
            for job, opening in self.by_job.items()
            if (missed := opening.missed)
        ]

    def _link_coalesced(self) -> None:
        for job, opening in self.by_job.items():
            if opening.missed and opening.missed.state == FireState.COALESCED:
                row = Fire.objects.filter(job=job, fire_time=opening.missed.last, run=0)
                row.update(coalesced_into=self._into(job, opening))

    def _fire_times(self) -> list[datetime]:
        return sorted({fire_time for opening in self.by_job.values() for fire_time in opening.fires})

    def _into(self, job: int, opening: Opening) -> int | None:
        return self.ids[job, opening.fires[-1]] if opening.fires else None

    def _cancel_held(self) -> None:
        """Cancel what was just inserted for items that still run, where the policy is to skip."""
        held = self._held()
        if held:
            new = Execution.objects.filter(fire__in=self.ids.values(), job__in={job for job, _ in held})
            rows = new.values_list("id", "fire_id", "job_id", "item")
            cancelled = {id: fire for id, fire, job, item in rows if (job, item) in held}
            Execution.objects.filter(id__in=sorted(cancelled)).update(**_cancelled(Reason.STILL_RAN, self.now))
            self.ended |= set(cancelled.values())

    def _held(self) -> set[tuple[int, int]]:
        skipping = [job for job, opening in self.by_job.items() if opening.job.misfire is Misfire.SKIP]
        rows = Item.objects.filter(job__in=skipping, execution_id__isnull=False)
        return set(rows.values_list("job_id", "number")) if skipping else set()

    def _cancel_unclaimed(self, earlier: Iterable[Execution]) -> None:
        late = self._late(earlier)
        if not late:
            return
        # Whoever changes an execution's state holds its item, so a claim is either done by now or has to wait.
        items = Item.objects.filter(job__in={row.job_id for row in late}, number__in={row.item for row in late})
        list(items.select_for_update().order_by("id").values_list("id"))
        still = _unclaimed().filter(id__in=[row.id for row in late])
        for job, rows in groupby(sorted(still, key=_job), key=_job):
            self._cancel(self.by_job[job], job, list(rows))

    def _late(self, earlier: Iterable[Execution]) -> list[Execution]:
        kept: dict[tuple[int, int], int] = defaultdict(int)
        late = []
        for row in earlier:
            opening = self.by_job[row.job_id]
            if self._may_wait(opening, row.fire.fire_time, kept[row.job_id, row.item]):
                kept[row.job_id, row.item] += 1
            else:
                late.append(row)
        return late

    def _may_wait(self, opening: Opening, fire_time: datetime, younger: int) -> bool:
        few = len(opening.fires) + younger < opening.job.fire_all_most
        young = fire_time >= oldest_to_catch_up(opening.job, self.now)
        return opening.job.misfire is Misfire.FIRE_ALL and few and young

    def _cancel(self, opening: Opening, job: int, rows: Sequence[Execution]) -> None:
        reason = _REASONS[opening.job.misfire]
        Execution.objects.filter(id__in=[row.id for row in rows]).update(**_cancelled(reason, self.now))
        fires = {row.fire_id for row in rows}
        if opening.job.misfire is Misfire.FIRE_ONCE:
            Fire.objects.filter(id__in=fires).update(coalesced_into=self._into(job, opening))
        self.ended |= fires


def _unclaimed() -> QuerySet[Execution]:
    """Executions of scheduled fires that nothing has claimed yet, the youngest first."""
    pending = Execution.objects.filter(IS_LIVE, state=ExecutionState.PENDING, attempt=0, fire__run=0)
    # Only what is needed: the fires' parameters, for 10,000 items, would be read again with each of them.
    rows = pending.select_related("fire").only("job_id", "item", "fire_id", "fire__fire_time")
    return rows.order_by("-fire__fire_time")


_REASONS = {
    Misfire.SKIP: Reason.STILL_RAN,
    Misfire.FIRE_ONCE: Reason.COALESCED,
    Misfire.FIRE_ALL: Reason.TOO_OLD,
}


def _job(execution: Execution) -> int:
    return execution.job_id


def _cancelled(reason: Reason, now: datetime) -> dict[str, object]:
    return {"state": ExecutionState.CANCELLED, "live": None, "finished_at": now, "reason": reason}
