"""python -m benchmarks.sessions: measures everything, prints the tables, and writes them to benchmarks/results/.

The exit code is 1 if our session engine falls short of its aims.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.sessions import cost, faults
from benchmarks.sessions.columns import COLUMNS
from benchmarks.sessions.found import Found, Outcome
from benchmarks.sessions.servers import database, tier, variables
from benchmarks.sessions.table import page
from benchmarks.sessions.verdict import shortcomings
from benchmarks.sessions.versions import versions
from deploy.servers.redis import Redis

RESULTS = Path(__file__).parents[1] / "results"
PARTS = ("faults", "cost")


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that servers end with this process
    columns = {name: COLUMNS[name] for name in options.columns or COLUMNS}
    found = measured(columns, options.only)
    is_part = bool(options.only or options.columns)
    failed = None if is_part else shortcomings(found)
    with_what = versions()
    text = page(with_what, found, failed)
    print(text)
    if failed is not None:
        write(with_what, found, failed, text)
    return 1 if failed else 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sessions", description="With no options, as `make bench-sessions` runs it."
    )
    parser.add_argument("--only", choices=PARTS, help="leave out the other part, judge and write nothing")
    parser.add_argument("--columns", nargs="+", choices=COLUMNS, help="only these engines, judge and write nothing")
    return parser.parse_args(arguments)


def measured(columns: Mapping[str, str], only: str | None) -> dict[str, Found]:
    """Measure the columns on one database, and say meanwhile what is being done."""
    outcomes: dict[str, dict[str, Outcome]] = {name: {} for name in columns}
    rates: cost.Rates = {name: {} for name in columns}
    with database(faults.USERS + faults.ENDERS) as mariadb:
        if only != "faults":
            rates = cost.measure(mariadb.url, columns, say)
        if only != "cost":
            outcomes = {name: column_outcomes(mariadb.url, name, settings) for name, settings in columns.items()}
    return {name: Found(outcomes=outcomes[name], rates=rates[name]) for name in columns}


def column_outcomes(database_url: str, name: str, settings: str) -> dict[str, Outcome]:
    """Let each fault happen to one column."""
    with Redis() as redis, tier(variables(database_url, redis.url), settings) as lent:
        return asyncio.run(stage_outcomes(faults.Stage(lent, redis), name))


async def stage_outcomes(stage: faults.Stage, name: str) -> dict[str, Outcome]:
    outcomes = {}
    for what, fault in faults.FAULTS.items():
        say(f"{name}: {what}")
        outcomes[what] = await faults.measure(stage, fault)
    return outcomes


def write(with_what: Mapping[str, str], found: Mapping[str, Found], failed: Sequence[str], text: str) -> None:
    """Write the page, and every figure."""
    figures = {name: asdict(column) for name, column in found.items()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "sessions.md").write_text(text)
    (RESULTS / "sessions.json").write_text(
        json.dumps({"versions": with_what, "columns": figures, "falls short": failed}, indent=1) + "\n"
    )


def say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
