"""The page with the tables."""

from collections.abc import Mapping, Sequence

from benchmarks.sessions.columns import CACHE, CACHED_DB, OURS
from benchmarks.sessions.cost import PAGES, READING, UNTOUCHED, WRITING
from benchmarks.sessions.faults import ENDERS, FAULTS, USERS
from benchmarks.sessions.found import Found, Outcome, ratio
from benchmarks.sessions.verdict import NOISE, SLOWEST
from benchmarks.table import line

SHOWN = {
    UNTOUCHED: "a page without session",
    READING: "a page that reads its session",
    WRITING: "a page that writes its session each time",
}

LEGEND = f"""\
{USERS} users click twice a second, through nginx, on three replicas. A cell: users who are logged in afterwards; then,
where there were any, errors, and requests that were answered as if their user were logged out; the slowest answer.
Where Redis fails, {ENDERS} further users log out meanwhile: how many could, and how many of these cookies opened a page
again afterwards."""

AIMS = f"""\
Aims, for {OURS} alone: after each fault all are logged in, no request was answered otherwise, no logout failed or was
undone, no answer took longer than {SLOWEST} s; pages are read at the rate of `{CACHE}`, and written at that of
`{CACHED_DB}`, both but for {NOISE:.0%} of noise."""


def page(versions: Mapping[str, str], found: Mapping[str, Found], failed: Sequence[str] | None) -> str:
    """Return the whole page; `failed` is None if not all was measured, which is no ground for a verdict."""
    with_what = ", ".join(f"{name} {version}" for name, version in versions.items())
    parts = ["# Sessions", LEGEND, outcomes_table(found), rates_table(found), verdict(failed)]
    return "\n\n".join([*filter(None, parts), f"Measured with {with_what}."]) + "\n"


def verdict(failed: Sequence[str] | None) -> str:
    if failed is None:
        return ""
    met = "\n".join(["**Missed:**", "", *(f"- {what}" for what in failed)]) if failed else "All are met."
    return f"{AIMS}\n\n{met}"


def outcomes_table(found: Mapping[str, Found]) -> str:
    """Return one row a fault; nothing if none was measured."""
    faults = [name for name in FAULTS if any(name in column.outcomes for column in found.values())]
    rows = [[fault, *(outcome(column.outcomes.get(fault)) for column in found.values())] for fault in faults]
    return table(["fault", *found], rows) if rows else ""


def outcome(seen: Outcome | None) -> str:
    if seen is None:
        return ""
    parts = [f"{seen.logged_in} of {seen.users}"]
    parts += [f"{seen.errors} errors"] if seen.errors else []
    parts += [f"{seen.logged_out} logged out"] if seen.logged_out else []
    parts += [f"{seen.slowest:.2f} s"]
    parts += [f"logouts {seen.ended} of {seen.enders}, undone {seen.revived}"] if seen.enders else []
    return "; ".join(parts)


def rates_table(found: Mapping[str, Found]) -> str:
    """Return one row a page, as ratios to `cache`; nothing if that was not measured."""
    if not found.get(CACHE, Found()).rates:
        return ""
    return table(["requests a second, one replica", *found], [[SHOWN[name], *rates(found, name)] for name in PAGES])


def rates(found: Mapping[str, Found], name: str) -> list[str]:
    return [f"x{ratio(column, found[CACHE], name):.2f} ({column.rate(name):.0f})" for column in found.values()]


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join([line(names), line(["---"] * len(names)), *map(line, rows)])
