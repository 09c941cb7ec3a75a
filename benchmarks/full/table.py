"""The figures of a full ledger as Markdown."""

from collections.abc import Mapping
from typing import Any

MOST = 1.5
"""A full ledger may take so many times what an empty one takes."""


def ratios(found: Mapping[str, Any]) -> dict[str, float]:
    """Return what is measured → how many times its empty time it takes when full."""
    return {name: round(found["full"][name] / empty, 2) for name, empty in found["empty"].items()}


def beyond(found: Mapping[str, Any]) -> list[str]:
    """Return what takes longer than it may."""
    return [name for name, ratio in ratios(found).items() if ratio > MOST and not name.startswith("prune")]


def markdown(with_what: Mapping[str, str], fires: int, columns: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        f"# A ledger with {fires:,} fires",
        "",
        ", ".join(f"{name} {version}" for name, version in with_what.items()) + ". Medians in ms.",
    ]
    for database, found in columns.items():
        late = beyond(found)
        lines += ["", f"## {database}", "", "| | empty | full | times |", "|---|---|---|---|"]
        lines += [
            f"| {name} | {empty:.1f} | {found['full'][name]:.1f} | {ratios(found)[name]:.2f} |"
            for name, empty in found["empty"].items()
        ]
        lines += [f"| {name} | – | {ms:.1f} | – |" for name, ms in found["prune"].items()]
        lines += [
            "",
            f"Beyond {MOST}: {', '.join(late)}." if late else f"Nothing is beyond {MOST}, pruning left aside.",
        ]
    return "\n".join(lines) + "\n"


def plans(fires: int, columns: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page of query plans."""
    lines = [
        "# Query plans",
        "",
        f"How the databases open, look, claim, finish, settle and prune with {fires:,}",
        "fires in the ledger; written by `make bench-full`. None of them reads all fires or executions.",
    ]
    for database, found in columns.items():
        lines += ["", f"## {database}", ""]
        for each in found["plans"]:
            lines += [f"* `{each['statement']}`  ", f"  {each['plan']}"]
    return "\n".join(lines) + "\n"
