"""The account of every execution: its attempts and failures counted here again, and what may follow them."""

from scheduling.domain.fire import ExecutionState, Reason
from scheduling.domain.retry import TAKE_OVERS_MOST
from scheduling.tests.simulation.jobs import SECOND, allowed_delay

COUNTED = "attempts and failures are counted as they were"
RETRIED = "a failed execution is attempted again as often as its job says, and no more"
DELAY = "a retry waits for its delay"
ELSEWHERE = "a retry runs elsewhere if another living instance knows the handler"
TIMEOUT = "an attempt is cut off when its time is over, and not before"
RUNS_ON = "no attempt of an item begins while a handler of an earlier one runs, unless its instance is dead"
CANCELLED = "what waits or is pending is cancelled when its job is disabled"
LOST = "what a dead instance ran is pending again, or lost, as its job says"
SETTLED = "nothing of a settled fire goes on"
ELSEWHERE_AFTER = 10
"""Seconds for which another one must have been there: whoever claims may have seen the cluster as it was then."""


class Account:
    """What one execution has done: `due_at` and `failed_on` are those of the retry it waits for."""

    def __init__(self):
        self.claims = 0
        self.failures = 0
        self.deaths = 0
        self.due_at = None
        self.failed_on = None


class Accounts:
    """execution → account, and what every attempt began with. `latest` is what delays count from at the latest."""

    def __init__(self, world):
        self.world = world
        self.history = world.history
        self.of = {}
        self.begun = {}
        self.latest = None

    def begin(self, attempt, job):
        """Note that a handler begins, and the job as its machine knows it."""
        self.begun[attempt.execution, attempt.token] = (self.world.seconds, job)

    def claim(self, attempt, by, name):
        """Count a claim, and hold it against what was said after the last attempt."""
        account = self.of.setdefault(attempt.execution, Account())
        account.claims += 1
        if (attempt.number, attempt.failures) != (account.claims, account.failures):
            raise self.history.broken(COUNTED, f"{name}: {account.claims} claims, {account.failures} failures")
        if account.due_at and self.world.now() < account.due_at:
            raise self.history.broken(DELAY, f"{name} is claimed, and due at {account.due_at:%H:%M:%S.%f}")
        if account.failed_on == by and (others := self._others(attempt, by)):
            raise self.history.broken(ELSEWHERE, f"{name} is claimed by {by}, where it failed, and not by {others}")
        for machine in self.world.machines:
            if machine.runs_on((attempt.job, attempt.item)):
                raise self.history.broken(RUNS_ON, f"{name} is claimed by {by}, and runs on {machine.name}")
        account.due_at = account.failed_on = None

    def _others(self, attempt, by):
        job = self.world.ledger.tables.jobs[attempt.job].job
        before = self.world.seconds - ELSEWHERE_AFTER
        if not (job.retry.elsewhere and job.retry.most) or self.world.edited_at[attempt.job] > before:
            return []
        return sorted(self.world.ensemble.able_since(job.handler, before) - {by})

    def end(self, result, row, name):
        """Hold the end of an attempt against its job; `row` is its execution as it stands now."""
        account, attempt = self.of[result.attempt.execution], result.attempt
        waits = row.state is ExecutionState.WAITING
        if result.state is not ExecutionState.SUCCEEDED:
            account.failures += 1
        _, job = self.begun[attempt.execution, attempt.token]
        delay = None if result.state is ExecutionState.SUCCEEDED else allowed_delay(job.retry, account.failures)
        if not self.world.ledger.tables.jobs[attempt.job].job.enabled:
            delay = None
        if waits != (delay is not None):
            what = f"{name} is {row.state} after failure {account.failures} of {1 + job.retry.most}"
            raise self.history.broken(RETRIED, what)
        if waits:
            now = min(self.world.now(), self.latest or self.world.now())
            account.due_at, account.failed_on = now + delay * SECOND, row.instance

    def cut_off(self, result, name):
        """Hold the end of an attempt whose handler runs on against its timeout."""
        began_at, job = self.begun[result.attempt.execution, result.attempt.token]
        ran = self.world.seconds - began_at
        # The machine's clock may be a hundredth faster than the world's.
        if job.timeout is None or ran < 0.98 * job.timeout or result.reason is not Reason.TIMED_OUT:
            raise self.history.broken(TIMEOUT, f"{name} has run for {ran:.2f} s of {job.timeout}")

    def check_taken(self, taken, *, died):
        """Hold what became of an execution that was taken back against its job."""
        account, job = self.of[taken.execution], self.world.ledger.tables.jobs[taken.job].job
        row = self.world.ledger.tables.instances.get(taken.instance)
        account.deaths += died and not (row and row.left)
        too_often = account.deaths > TAKE_OVERS_MOST
        if taken.lost != (not job.enabled or (died and (not job.failover or too_often))):
            raise self.history.broken(LOST, f"{taken.job} item {taken.item}: lost is {taken.lost}")
