"""python -m benchmarks: measures everything, prints the table and writes it with all figures to benchmarks/results/."""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import handover, versions
from benchmarks.columns import COLUMNS, EACH_TIME, Column
from benchmarks.lateness import SCENARIOS, measure, measure_idle
from benchmarks.table import markdown
from benchmarks.traffic import Sample, sampled

RESULTS = Path(__file__).parent / "results"
PARTS = ("lateness", "handover")
RUNS = 5
HANDOVER_RUNS = 3
BUSY = "100 jobs each second"
FIRES_PER_SECOND = 100


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that servers end with this process
    with_what, found = versions.of_project(), []
    for name in options.columns:
        with COLUMNS[name]() as column:
            with_what |= versions.of_servers(column)
            found.append(measured(column, options.only, options.runs))
    page = markdown(with_what, found)
    print(page)
    if not options.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "table.md").write_text(page)
        (RESULTS / "figures.json").write_text(json.dumps({"versions": with_what, "columns": found}) + "\n")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="With no options, as `make bench` runs it."
    )
    parser.add_argument("--only", choices=PARTS, help="leave out the other part, and write nothing")
    parser.add_argument("--runs", type=int, help=f"not {RUNS} runs, and write nothing")
    parser.add_argument("--columns", nargs="+", choices=COLUMNS, help="only these servers, and write nothing")
    options = parser.parse_args(arguments)
    options.quick = any((options.only, options.runs, options.columns))
    options.columns = options.columns or EACH_TIME
    return options


def measured(column: Column, only: str | None, runs: int | None) -> dict[str, Any]:
    """Measure one column, and say meanwhile what is being done."""
    found: dict[str, Any] = {"column": column.name, "settings": column.settings, "session": column.session}
    found |= {"lateness": {}, "handover": {}, "traffic": {}}
    if only != "lateness":
        say(column, "resharding")
        found["handover"] = handover.measure(column, min(runs or RUNS, HANDOVER_RUNS))
    if only != "handover":
        found["lateness"], found["traffic"] = lateness(column, runs or RUNS)
    return found


def lateness(column: Column, runs: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure every scenario, and what the busy one costs the servers."""
    idle, busy, found = Sample(), Sample(), {}
    if column.counts:
        say(column, "idle")
        measure_idle(column.site, FIRES_PER_SECOND, sampled(column, idle))
    for scenario in SCENARIOS:
        say(column, scenario.name)
        during = sampled(column, busy) if scenario.name == BUSY else None
        found[scenario.name] = measure(column.site, scenario, runs, during)
    return found, {"idle": idle.rates, "busy": busy.rates, "a fire": busy.beyond(idle, FIRES_PER_SECOND)}


def say(column: Column, what: str) -> None:
    print(f"{column.name}: {what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
