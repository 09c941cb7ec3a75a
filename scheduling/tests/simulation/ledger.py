"""The ledger's double under watch: each opening, claim, result, take-over and death is held against the promises."""

from scheduling.domain.fire import ExecutionState, Verdict
from scheduling.ports.memory_ledger import MemoryLedger
from scheduling.tests.simulation.jobs import anchored

ONCE = "an execution is claimed once, and again only after its instance died or its claim was lost"
DEAD = "a dead instance claims nothing"
FIRST = "an item is first in, first out"
LOST = "a claim is put back only if its handler has not begun"
TOKEN = "each claim has a larger token of its item than all before"
ALONE = "no two attempts of one item hold a valid token"
RESULT = "a result counts only under the token that holds the item"
DEATH = "only an instance that had joined, and whose session had ended, is declared dead, by one that saw itself"
EARLY = "nothing is opened before its fire time"


class WatchedLedger(MemoryLedger):
    """`claimed_by` is execution → instance of those that may not be claimed again; `valid` is item → its execution.

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

    # Configuration

    def configure(self, job):
        revision = super().configure(job)
        self._begin_era(job.name, job.trigger if job.enabled else None)
        return revision

    def retire(self, job):
        super().retire(job)
        self._begin_era(job, None)

    def _begin_era(self, job, trigger):
        eras, now = self.eras.setdefault(job, []), self.clock()
        eras.append((now, anchored(trigger, eras[-1][1] if eras else None, now)))

    # One fire

    def open(self, openings, *, by):
        won = super().open(openings, by=by)
        for opening in openings:
            if opening.job.name in won:
                times = ", ".join(f"{time:%H:%M:%S}" for time in opening.fires)
                self.history.note(by, "opened", f"{opening.job.name} {times} to {opening.counted_to:%H:%M:%S}")
                if max([opening.counted_to, *opening.fires]) > self.clock():
                    raise self.history.broken(EARLY, f"{opening.job.name} {times}, by {by}")
        return won

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
        if attempt.token <= self.tokens.get(key, 0):
            raise self.history.broken(TOKEN, f"{describe(attempt)} has {attempt.token} after {self.tokens[key]}")
        if key in self.valid:
            raise self.history.broken(ALONE, f"{describe(attempt)} while execution {self.valid[key]} holds the item")
        self.claimed_by[attempt.execution] = by
        self.tokens[key] = attempt.token
        self.valid[key] = attempt.execution

    def _unclaimed(self, key):
        # Of fires that triggers named: a request may have an earlier time than what was looked at before it came.
        live = (row for row in self.tables.live.values() if row.key == key and not row.fire.run)
        return (row for row in live if row.state is not ExecutionState.RUNNING)

    def finish(self, results):
        verdicts = super().finish(results)
        for result in results:
            attempt, verdict = result.attempt, verdicts[result.attempt.execution]
            self.history.note("ledger", verdict.value, f"{describe(attempt)} token {attempt.token} {result.state}")
        for execution in (execution for execution, verdict in verdicts.items() if verdict is Verdict.WRITTEN):
            self._check_result([result.attempt for result in results if result.attempt.execution == execution])
        return verdicts

    def _check_result(self, attempts):
        attempt = max(attempts, key=lambda each: each.token)  # one machine may have run it twice
        key = (attempt.job, attempt.item)
        holds = (self.valid.pop(key, None), self.tokens[key])
        if holds != (attempt.execution, attempt.token):
            what = f"{describe(attempt)} token {attempt.token}, but execution {holds[0]} under {holds[1]}"
            raise self.history.broken(RESULT, what)

    # Instances

    def take_over(self):
        taken = super().take_over()
        for each in taken:
            self.history.note("ledger", "taken over", f"{each.job} item {each.item} from {each.instance}")
            if each.instance in self.deaths:
                self._release(each)
        return taken

    def audit(self, instance, running):
        put_back = super().audit(instance, running)
        for each in put_back:
            self.history.note(instance, "put back", f"{each.job} item {each.item}")
            if (each.execution, self.tokens[each.job, each.item]) in self.world.begun:
                raise self.history.broken(LOST, f"{each.job} item {each.item}: execution {each.execution}")
            self._release(each)
        return put_back

    def _release(self, taken):
        execution = self.valid.pop((taken.job, taken.item), None)
        self.claimed_by.pop(execution, None)

    def die(self, instance, *, by):
        row = self.tables.instances.get(instance)
        joined = row is not None and row.joined
        died = super().die(instance, by=by)
        if died:
            self.history.note(by, "left" if by == instance else "declared dead", instance)
            self.deaths.add(instance)
            if not joined or (by != instance and not self.world.ensemble.may_bury(instance, by)):
                raise self.history.broken(DEATH, f"{instance}, by {by}")
        return died


def describe(attempt):
    """Name an attempt, or an execution, in one way."""
    return f"{attempt.job} {attempt.fire_time:%H:%M:%S}/{attempt.run} item {attempt.item}"
