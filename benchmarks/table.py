"""The table: one row a figure, with its aim and whether each column meets it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Found = Mapping[str, Any]
"""What was measured on one column; see `benchmarks.__main__.measured`."""

FAILOVER = "How fast others go on when an instance is killed: [failover.md](failover.md)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Percentiles of one scenario; the one that `aim` names has to stay under `most` ms."""

    scenario: str
    shown: Sequence[str]
    aim: str = ""
    most: float = 0.0
    elasticjob: str = ""


ROWS = (
    Row(scenario="one job each second", shown=("p50", "p99"), aim="p99", most=25, elasticjob="p99 43 ms"),
    Row(scenario="100 jobs each second", shown=("p50", "p99"), aim="p99", most=25, elasticjob="p99 338 ms"),
    Row(scenario="1 job of 100 items", shown=("p50", "last"), aim="last", most=50, elasticjob="p50 399 ms"),
    Row(scenario="1 job of 1,000 items", shown=("p50", "last"), aim="last", most=250),
    Row(scenario="1,000 jobs at one second", shown=("p50", "p99", "last")),
)


def markdown(versions: Mapping[str, str], columns: Sequence[Found]) -> str:
    """Return the whole page: the table, and what was measured with what."""
    lines = [*heading(columns), *lateness_rows(columns), *handover_rows(columns), *traffic_rows(columns)]
    with_what = ", ".join(f"{name} {version}" for name, version in versions.items())
    end = ["", f"Measured with {with_what}.", "", *notes(columns), "", FAILOVER, ""]
    return "\n".join(["# Benchmarks", "", *lines, *end])


def heading(columns: Sequence[Found]) -> list[str]:
    names = ["", "aim", *(found["column"] for found in columns), "ElasticJob 3.0.5"]
    return [line(names), line(["---"] * len(names))]


def lateness_rows(columns: Sequence[Found]) -> list[str]:
    rows = [row for row in ROWS if any(row.scenario in found["lateness"] for found in columns)]
    return [
        line([f"{row.scenario}: lateness", aim_of(row), *(lateness(row, found) for found in columns), row.elasticjob])
        for row in rows
    ]


def aim_of(row: Row) -> str:
    return f"{row.aim} < {row.most:.0f} ms" if row.aim else ""


def lateness(row: Row, found: Found) -> str:
    if row.scenario not in found["lateness"]:
        return ""
    figures = found["lateness"][row.scenario]["median"]
    shown = ", ".join(f"{name} {figures[name]:.0f}" for name in row.shown) + " ms"
    return shown + (verdict(figures[row.aim] < row.most) if row.aim else "")


def handover_rows(columns: Sequence[Found]) -> list[str]:
    cells = [handover(found) for found in columns]
    return [line(["an instance joins: shares are even", "", *cells, ""])] if any(cells) else []


def handover(found: Found) -> str:
    seconds = found["handover"].get("shares even")
    return f"{median(seconds):.2f} s" if seconds else ""


def traffic_rows(columns: Sequence[Found]) -> list[str]:
    packets = ["ZooKeeper requests a second: idle, at 100 fires a second", "as many", *map(_packets, columns), ""]
    statements = ["SQL statements a fire, at 100 fires a second", "", *map(_statements, columns), ""]
    return [line(packets), line(statements)] if any(found["traffic"] for found in columns) else []


def _packets(found: Found) -> str:
    idle, busy = (found["traffic"].get(when, {}).get("zk_packets_received") for when in ("idle", "busy"))
    return f"{idle:.1f}, {busy:.1f}" if idle and busy else "none"


def _statements(found: Found) -> str:
    a_fire = found["traffic"].get("a fire", {}).get("Questions")
    return f"{a_fire:.2f}" if a_fire else ""


def notes(columns: Sequence[Found]) -> list[str]:
    return [f"- {found['column']}: {found['settings']}" for found in columns]


def verdict(met: bool) -> str:
    return ", met" if met else ", **missed**"


def line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
