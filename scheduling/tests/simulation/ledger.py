"""The ledger's double under watch: each opening, claim, result, take-over and death is held against the promises."""

from collections import Counter
from datetime import timedelta

from scheduling.domain.fire import ExecutionState, FireState, Verdict
from scheduling.domain.job import Misfire
from scheduling.ports.memory_ledger import MemoryLedger
from scheduling.tests.simulation.accounts import CANCELLED, SETTLED, Accounts
from scheduling.tests.simulation.jobs import anchored

ONCE = "an execution is claimed once, and again only after a failure, a death or a lost claim"
DEAD = "a dead instance claims nothing"
FIRST = "an item is first in, first out"
PUT_BACK = "a claim is put back only if its handler has not begun"
TOKEN = "each claim has a larger token of its item than all before"
ALONE = "no two attempts of one item hold a valid token"
RESULT = "a result counts only under the token that holds the item"
DEATH = "only an instance that had joined, and whose session had ended, is declared dead, by one that saw itself"
EARLY = "nothing is opened before its fire time"
SUPERVISOR = "supervisor"
LATE = 12
BOUNDED = "no more is caught up with, and nothing older, than the job says"


class WatchedLedger(MemoryLedger):
    """`claimed_by` is execution → instance of those that may not be claimed again.

    `valid` is item → the execution and token that hold it.

    `tokens` is item → its last token, `eras` is job → the triggers it has had, and since when.
    """

    def __init__(self, world):
        super().__init__(world.now)
        self.world = world
        self.history = world.history
        self.claimed_by = {}
        self.valid = {}
        self.tokens = {}
        self.deaths = set()
        self.eras = {}
        self.accounts = Accounts(world)

    def begin(self, attempt, job):
        """Note that a handler begins."""
        self.accounts.begin(attempt, job)

    # Configuration

    def configure(self, job):
        counted_to = self._counted_to(job.name)
        revision = super().configure(job)
        self._begin_era(job.name, job.trigger if job.enabled else None, counted_to)
        return revision

    def retire(self, job):
        counted_to = self._counted_to(job)
        super().retire(job)
        self._begin_era(job, None, counted_to)

    def _counted_to(self, job):
        row = self.tables.jobs.get(job)
        return row.counted_to if row else self.clock()

    def _begin_era(self, job, trigger, counted_to):
        eras, now = self.eras.setdefault(job, []), self.clock()
        # What the clock, before it went back, had let be counted under the old trigger stays counted.
        eras.append((max(now, counted_to), anchored(trigger, eras[-1][1] if eras else None, now)))
        self.world.edited_at[job] = self.world.seconds
        left = [row for row in self.tables.live_of(job) if row.state is not ExecutionState.RUNNING]
        if left and trigger is None:
            raise self.history.broken(CANCELLED, f"{job}: {len(left)} executions")

    # One fire

    def open(self, openings, *, by):
        won = super().open(openings, by=by)
        for opening in openings:
            if opening.job.name in won:
                times = ", ".join(f"{time:%H:%M:%S}" for time in opening.fires)
                self.history.note(by, "opened", f"{opening.job.name} {times} to {opening.counted_to:%H:%M:%S}")
                if max([opening.counted_to, *opening.fires]) > self._believed():
                    raise self.history.broken(EARLY, f"{opening.job.name} {times}, by {by}")
                if opening.job.misfire is Misfire.FIRE_ALL:
                    self._check_bounds(opening.job)
        return won

    def _believed(self):
        # A machine's clock may be faster by a hundredth, which the ledger's refuses, but not while it has leapt.
        return self.world.believed() + (timedelta(seconds=0.05) if self.world.leap else timedelta())

    def _check_bounds(self, job):
        unclaimed = [e for e in self.tables.live_of(job.name) if not e.attempt and not e.fire.run]
        most = max(Counter(e.item for e in unclaimed).values(), default=0)
        ages = [(self.world.believed() - e.fire.fire_time).total_seconds() for e in unclaimed]
        # Whoever opens goes by the ledger's clock as it was a while ago.
        oldest = job.fire_all_age + LATE if self.world.seconds > self.world.jumped_at + LATE else float("inf")
        if most > job.fire_all_most or max(ages, default=0) > oldest:
            raise self.history.broken(BOUNDED, f"{job.name}: {most} of an item, {max(ages):.0f} s old")

    def claim(self, executions, *, by, claim):
        attempts = super().claim(executions, by=by, claim=claim)
        if not attempts:
            self.history.note(by, "refused", ", ".join(describe(each) for each in executions))
        for attempt in attempts:
            self._check_claim(attempt, by)
        return attempts

    def _check_claim(self, attempt, by):
        key = (attempt.job, attempt.item)
        self.history.note(by, "claimed", f"{describe(attempt)} token {attempt.token}")
        if by in self.deaths:
            raise self.history.broken(DEAD, f"{describe(attempt)}, by {by}")
        if not attempt.run and any(row.fire.fire_time < attempt.fire_time for row in self._unclaimed(key)):
            raise self.history.broken(FIRST, describe(attempt))
        before = self.claimed_by.get(attempt.execution)
        if before is not None:
            raise self.history.broken(ONCE, f"{describe(attempt)} is claimed by {by}, and was by {before}")
        self.accounts.claim(attempt, by, describe(attempt))
        if attempt.token <= self.tokens.get(key, 0):
            raise self.history.broken(TOKEN, f"{describe(attempt)} has {attempt.token} after {self.tokens[key]}")
        if key in self.valid:
            raise self.history.broken(ALONE, f"{describe(attempt)} while execution {self.valid[key][0]} holds the item")
        self.claimed_by[attempt.execution] = by
        self.tokens[key] = attempt.token
        self.valid[key] = (attempt.execution, attempt.token)

    def _unclaimed(self, key):
        # Of fires that triggers named: a request may have an earlier time than what was looked at before it came.
        live = (row for row in self.tables.live.values() if row.key == key and not row.fire.run)
        return (row for row in live if row.state is not ExecutionState.RUNNING)

    def finish(self, results, **limits):
        self.accounts.latest = limits.get("not_after")
        verdicts = super().finish(results, **limits)
        for result in results:
            attempt, verdict = result.attempt, verdicts[result.attempt.execution]
            self.history.note("ledger", verdict.value, f"{describe(attempt)} token {attempt.token} {result.state}")
        for execution in (execution for execution, verdict in verdicts.items() if verdict is Verdict.WRITTEN):
            # One machine may have run it twice.
            written = [result for result in results if result.attempt.execution == execution]
            self._check_result(max(written, key=lambda result: result.attempt.token))
        return verdicts

    def cut_off(self, results, **limits):
        self.accounts.latest = limits.get("not_after")
        tokens = super().cut_off(results, **limits)
        for result in results:
            attempt = result.attempt
            key, token = (attempt.job, attempt.item), tokens.get(attempt.execution)
            if token is None or self.valid.get(key) != (attempt.execution, attempt.token):
                continue  # it was before, and the answer was lost
            self.history.note("ledger", "cut off at timeout", f"{describe(attempt)} token {attempt.token}")
            self.accounts.cut_off(result, describe(attempt))
            self._check_result(result)
            if token <= self.tokens[key]:
                raise self.history.broken(TOKEN, f"{describe(attempt)} is cut off under {token}")
            self.tokens[key] = token
        return tokens

    def _check_result(self, result):
        attempt = result.attempt
        key = (attempt.job, attempt.item)
        holds = self.valid.pop(key, None)
        if holds != (attempt.execution, attempt.token):
            raise self.history.broken(RESULT, f"{describe(attempt)} token {attempt.token}, but {holds} holds the item")
        fire = self.tables.fires[attempt.fire]
        if fire.state is not FireState.OPEN:
            raise self.history.broken(SETTLED, describe(attempt))
        row = fire.executions[attempt.item]
        self.accounts.end(result, row, describe(attempt))
        if row.state is ExecutionState.WAITING:
            self.history.note("ledger", "waits", f"{describe(attempt)} until {row.due_at:%H:%M:%S}")
            self.claimed_by.pop(attempt.execution)

    # Instances

    def take_over(self, *, not_after=None):
        taken = super().take_over(not_after=not_after)
        for each in taken:
            self.history.note("ledger", "taken over", f"{each.job} item {each.item} from {each.instance}")
            self.accounts.check_taken(each, died=True)
            if each.instance in self.deaths:
                self._release(each)
        return taken

    def audit(self, instance, running):
        put_back = super().audit(instance, running)
        for each in put_back:
            self.history.note(instance, "put back", f"{each.job} item {each.item}")
            if (each.execution, self.tokens[each.job, each.item]) in self.accounts.begun:
                raise self.history.broken(PUT_BACK, f"{each.job} item {each.item}: execution {each.execution}")
            self.accounts.check_taken(each, died=False)
            self._release(each)
        return put_back

    def _release(self, taken):
        execution, _ = self.valid.pop((taken.job, taken.item), (None, None))
        self.claimed_by.pop(execution, None)

    def die(self, instance, *, by):
        row = self.tables.instances.get(instance)
        joined = row is not None and row.joined
        died = super().die(instance, by=by)
        if died:
            self.history.note(by, "left" if by == instance else "declared dead", instance)
            self.deaths.add(instance)
            if not joined or not self._may_bury(instance, by):
                raise self.history.broken(DEATH, f"{instance}, by {by}")
        return died

    def _may_bury(self, instance, by):
        if by == SUPERVISOR:
            return not any(machine.id == instance and not machine.gone for machine in self.world.machines)
        return by == instance or self.world.ensemble.may_bury(instance, by)


def describe(attempt):
    """Name an attempt, or an execution, in one way."""
    return f"{attempt.job} {attempt.fire_time:%H:%M:%S}/{attempt.run} item {attempt.item}"
