"""The ledger's double under watch: each claim, result, take-over and death is held against the promises at once."""

from scheduling.domain.fire import Verdict
from scheduling.ports.memory_ledger import MemoryLedger

ONCE = "an execution is claimed once, and again only after its instance died or its claim was lost"
TOKEN = "each claim has a larger token of its item than all before"
ALONE = "no two attempts of one item hold a valid token"
DEATH = "only an instance that had joined, and whose session had ended, is declared dead"


class WatchedLedger(MemoryLedger):
    """`claimed_by` is execution → instance of those that may not be claimed again; `valid` is item → its execution."""

    def __init__(self, world):
        super().__init__(world.now)
        self.world = world
        self.history = world.history
        self.claimed_by = {}
        self.valid = {}
        self.tokens = {}
        self.deaths = set()
        self.segments = {}

    def configure(self, job):
        revision = super().configure(job)
        self._begin_segment(job.name, job.enabled)
        return revision

    def retire(self, job):
        super().retire(job)
        self._begin_segment(job, False)

    def _begin_segment(self, job, enabled):
        row = self.tables.jobs[job]
        self.segments.setdefault(job, []).append((self.clock(), row.job.trigger if enabled else None))

    def claim(self, executions, *, by, claim):
        attempts = super().claim(executions, by=by, claim=claim)
        for attempt in attempts:
            self._check_claim(attempt, by)
        return attempts

    def _check_claim(self, attempt, by):
        key = (attempt.job, attempt.item)
        self.history.note(by, "claimed", f"{describe(attempt)} token {attempt.token}")
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

    def finish(self, results):
        verdicts = super().finish(results)
        for result in results:
            attempt, verdict = result.attempt, verdicts[result.attempt.execution]
            kind = "finished" if verdict is Verdict.WRITTEN else "too late"
            self.history.note("ledger", kind, f"{describe(attempt)} token {attempt.token} {result.state}")
            if verdict is Verdict.WRITTEN and self.tokens[attempt.job, attempt.item] == attempt.token:
                self.valid.pop((attempt.job, attempt.item), None)
        return verdicts

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
            self._release(each)
        return put_back

    def _release(self, taken):
        execution = self.valid.pop((taken.job, taken.item), None)
        self.claimed_by.pop(execution, None)

    def die(self, instance, *, by):
        joined = self.tables.instances.get(instance)
        died = super().die(instance, by=by)
        if died:
            self.history.note(by, "left" if by == instance else "declared dead", instance)
            self.deaths.add(instance)
            if not joined.joined or (by != instance and instance not in self.world.ensemble.ended):
                raise self.history.broken(DEATH, f"{instance}, by {by}")
        return died

    def open(self, openings, *, by):
        won = super().open(openings, by=by)
        for opening in openings:
            if opening.job.name in won:
                times = ", ".join(f"{time:%H:%M:%S}" for time in opening.fires)
                self.history.note(by, "opened", f"{opening.job.name} {times} to {opening.counted_to:%H:%M:%S}")
        return won


def describe(attempt):
    """Name an attempt in one way."""
    return f"{attempt.job} {attempt.fire_time:%H:%M:%S}/{attempt.run} item {attempt.item}"
