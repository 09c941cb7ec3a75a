"""What handlers do: at which moments of an attempt they write, fail, hang or die."""

from scheduling.domain.fire import ExecutionState, Reason, Result
from scheduling.domain.job import Isolation, OnTimeout

KINDS = (
    *("plain", "plain", "once", "once", "atomic", "check"),
    *("raises", "raises at first", "raises at first", "once, then raises", "atomic, then raises"),
    *("hangs", "once, then hangs", "hangs, then once", "hangs, then atomic", "dies at first"),
)
"""Those after `hangs` write, if at all, when the time of most attempts is over."""

ENDS_AFTER = (0.05, 0.3, 1.5, 3, 6)
HANGS_FOR = (4, 9, 14)


class Act:
    """What one attempt does: `steps` are (after how many seconds, what), and it ends after `ends_after`."""

    def __init__(self, kind, steps, ends_after):
        self.kind = kind
        self.steps = steps
        self.ends_after = ends_after


def an_act(random, kind, attempt):
    """Return what an attempt of an execution of this kind does."""
    first, _, then = kind.partition(", then ")
    acts_after = random.choice((0.01, 0.5, 1))
    if "hangs" in kind:
        ends_after = random.choice(HANGS_FOR)
        writes_after = 0.01 if first != "hangs" else acts_after * ends_after
        return Act(kind, [(writes_after, _step(then if first == "hangs" else first, attempt))], ends_after)
    ends_after = random.choice(ENDS_AFTER)
    steps = [(acts_after * ends_after, _step(first, attempt))]
    if then:
        steps.append((ends_after, then if attempt.number <= 2 else "plain"))
    return Act(kind, steps, ends_after)


def a_quiet_act(kind):
    """Return what an attempt does once everything is mended."""
    quick = [step for step in ("once", "atomic") if step in kind]
    return Act(kind, [(0.01, *quick)] if quick else [], 0.05)


def _step(name, attempt):
    if name.endswith(" at first"):
        return name.removesuffix(" at first") if attempt.number <= 2 else "plain"
    return name or "plain"


def is_killed_at_timeout(job):
    """Does the worker end the attempt when its time is over, so that nothing of it runs on?"""
    return job.timeout is not None and job.isolation is Isolation.PROCESS and job.on_timeout is OnTimeout.KILL


def killed(attempt):
    return Result(attempt=attempt, state=ExecutionState.KILLED, reason=Reason.TIMED_OUT)


def died(attempt):
    return Result(attempt=attempt, state=ExecutionState.FAILED, reason=Reason.PROCESS_DIED)
