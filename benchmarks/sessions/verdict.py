"""What of our column falls short. Pure."""

from collections.abc import Iterator, Mapping

from benchmarks.sessions.columns import CACHE, CACHED_DB, OURS
from benchmarks.sessions.cost import READING, WRITING
from benchmarks.sessions.faults import ENDERS, FAULTS, USERS
from benchmarks.sessions.found import Found, Outcome, ratio

SLOWEST = 1.5
"""Seconds."""

NOISE = 0.05
"""Two runs of the same engine differ by so much."""


def shortcomings(found: Mapping[str, Found]) -> list[str]:
    """Return what our column promises and does not do; a thing that was not measured is not done."""
    return [*fault_shortcomings(found[OURS]), *cost_shortcomings(found)]


def fault_shortcomings(ours: Found) -> Iterator[str]:
    for name, fault in FAULTS.items():
        if name not in ours.outcomes:
            yield f"{name}: not measured"
        else:
            enders = ENDERS if fault.is_of_redis else 0
            yield from (f"{name}: {what}" for what in outcome_shortcomings(ours.outcomes[name], enders))


def outcome_shortcomings(outcome: Outcome, enders: int) -> Iterator[str]:
    if outcome.clicks < USERS:
        yield f"only {outcome.clicks} requests, which is no measurement"
    if outcome.logged_in < USERS:
        yield f"{outcome.logged_in} of {USERS} users are logged in afterwards"
    if outcome.errors:
        yield f"{outcome.errors} errors"
    if outcome.logged_out:
        yield f"{outcome.logged_out} requests of users who were logged in were answered as logged out"
    if outcome.ended < enders:
        yield f"{outcome.ended} of {enders} users could log out"
    if outcome.revived:
        yield f"{outcome.revived} cookies that were logged out opened a page again"
    if outcome.slowest > SLOWEST:
        yield f"the slowest answer took {outcome.slowest:.2f} s, more than {SLOWEST} s"


def cost_shortcomings(found: Mapping[str, Found]) -> Iterator[str]:
    for page, other in ((READING, CACHE), (WRITING, CACHED_DB)):
        if any(not found[name].rates.get(page) for name in (OURS, other)):
            yield f"{page}: not measured"
        elif (rate := ratio(found[OURS], found[other], page)) < 1 - NOISE:
            yield f"{page}: {rate:.2f} of the rate of {other}, less than {1 - NOISE:.2f}"
