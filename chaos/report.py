"""The report of a run: a page, its figures, and a plot; and the verdict, one line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos.figures import figures
from chaos.plot import plot
from chaos.values import History, Violation

SHOWN = 50
"""Violations that are printed; all are in the figures."""

PAUSES = (
    "A failover takes from the fault to the first start of what another instance ran again. What two instances have "
    "died of waits before it is begun again, longer each time; that is part of it."
)


def write(history: History, violations: Sequence[Violation], versions: Mapping[str, str], folder: Path) -> None:
    """Write chaos.md, chaos.json and chaos.svg; `versions` says what ran, commit and all."""
    folder.mkdir(parents=True, exist_ok=True)
    found = figures(history, violations) | {"versions": dict(versions)}
    (folder / "chaos.md").write_text(page(found))
    (folder / "chaos.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / "chaos.svg").write_text(plot(history))


def page(found: Mapping[str, Any]) -> str:
    """Return the page."""
    lines = [
        "# Chaos",
        "",
        f"`make chaos SECONDS={found['seconds']:g} SEED={found['seed']}`: {conclusion(found)}",
        "",
        ", ".join(f"{name} {version}" for name, version in found["versions"].items()) + ".",
        "",
        "![windows and runs, faults as bands](chaos.svg)",
        "",
        *_table(["kind of fault", "times", "failovers", "p50 s", "last s"], _kinds(found)),
        "",
        PAUSES,
        "",
        *_table(["lateness of undisturbed runs", "p50 ms", "p99 ms", "last ms"], [_lateness(found["lateness ms"])]),
        "",
        *_table(["state", "fires", "executions"], _states(found)),
        "",
        *[f"- {violation}" for violation in found["violations"]],
    ]
    return "\n".join(lines).rstrip() + "\n"


def verdict(found: Mapping[str, Any], kept: Path | None) -> str:
    """Return what the rig prints at the end; its last line is the verdict."""
    violations = found["violations"]
    lines = [str(violation) for violation in violations[:SHOWN]]
    if len(violations) > SHOWN:
        lines.append(f"and {len(violations) - SHOWN} more")
    if kept:
        lines.append(f"what the run left behind is in {kept}")
    word = "FAILED" if violations else "PASSED"
    return "\n".join([*lines, f"{word}: {conclusion(found)} SEED={found['seed']}"])


def conclusion(found: Mapping[str, Any]) -> str:
    """Say in one sentence how much happened, and how much of it was wrong."""
    return (
        f"{found['faults']} faults of {found['kinds of faults']} kinds, {found['executions']} executions, "
        f"{found['failovers']} failovers, {len(found['violations']) or 'no'} "
        f"violation{'' if len(found['violations']) == 1 else 's'}."
    )


def _kinds(found: Mapping[str, Any]) -> list[list[object]]:
    rows: list[list[object]] = []
    for kind, times in found["faults by kind"].items():
        took = found["failover s"].get(kind, {"count": 0})
        rows.append([kind, times, took["count"] or "", took.get("p50", ""), took.get("last", "")])
    return rows


def _lateness(late: Mapping[str, float]) -> list[object]:
    return [f"{late['count']} of them", late.get("p50", ""), late.get("p99", ""), late.get("last", "")]


def _states(found: Mapping[str, Any]) -> list[list[object]]:
    fires, executions = found["states of fires"], found["states of executions"]
    return [[state, fires.get(state, ""), executions.get(state, "")] for state in sorted(fires.keys() | executions)]


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
