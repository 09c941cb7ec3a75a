"""The checker: every check on one history. It knows the journal, the logs and the tables, and no code of the product.

python -m chaos.checker HISTORY.json     judges again a run that was kept
"""

import sys
from collections.abc import Callable
from pathlib import Path

from chaos.checks import attempts, effects, enough, fires, ledger, misfires, registry, retries, windows
from chaos.keeping import load
from chaos.values import History, Violation

CHECKS: tuple[Callable[[History], list[Violation]], ...] = (
    fires.accounted_once,
    fires.nothing_early,
    fires.edits_are_timely,
    fires.no_phantoms,
    fires.all_items,
    fires.requests_answered,
    misfires.policies_kept,
    misfires.no_idle_misses,
    misfires.no_idle_cancels,
    windows.matched,
    windows.in_time,
    windows.reruns_in_time,
    attempts.run_once,
    attempts.no_gaps,
    attempts.tokens_rise,
    attempts.no_overlap,
    attempts.reruns_explained,
    attempts.deaths_explained,
    retries.not_too_many,
    retries.not_too_soon,
    retries.elsewhere,
    effects.once_exactly,
    effects.atomic_whole,
    effects.effects_of_runs,
    effects.fenced,
    effects.never_stale,
    ledger.equals_journal,
    ledger.lost_with_cause,
    ledger.timeouts_kept,
    ledger.settled,
    ledger.tokens_counted,
    registry.bounded,
    registry.owned_once,
    enough.enough,
    enough.in_order,
)


def check(history: History) -> list[Violation]:
    """Return all violations."""
    return [violation for each in CHECKS for violation in each(history)]


if __name__ == "__main__":
    found = check(load(Path(sys.argv[1])))
    print("\n".join(map(str, found)) or "no violation")
    sys.exit(1 if found else 0)
