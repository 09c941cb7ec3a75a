"""python -m benchmarks.failover: kills and freezes instances, and writes benchmarks/results/failover.md and .json.

It ends with 1 if anything takes longer than it may on MariaDB and ZooKeeper, or an effect is not there exactly once.
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import versions
from benchmarks.__main__ import RESULTS
from benchmarks.columns import COLUMNS, EACH_TIME
from benchmarks.failover import freezing, kills
from benchmarks.failover.table import markdown, missed

ROUNDS = 7
BATCHES = 5


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that servers end with this process
    found = {}
    for name in options.only or PARTS:
        found[name] = PARTS[name](options)
        if not options.quick:
            write(found)  # what follows may fail, and that took minutes
    print(markdown(found))
    return int(bool(missed(found)))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.failover", description="With no options, as `make bench-failover` runs it."
    )
    parser.add_argument("--only", nargs=1, choices=PARTS, help="leave the other part as it was written last")
    parser.add_argument("--rounds", type=int, help=f"not {ROUNDS} kills of each kind, and write nothing")
    parser.add_argument("--columns", nargs="+", choices=COLUMNS, help="kill only on these servers, and write nothing")
    options = parser.parse_args(arguments)
    options.quick = bool(options.rounds or options.columns)
    return options


def kill(options: argparse.Namespace) -> dict[str, Any]:
    with_what, settings, figures = versions.of_project(), [], []
    for name in options.columns or EACH_TIME:
        with COLUMNS[name]() as column:
            with_what |= versions.of_servers(column)
            settings.append(f"{column.name}: {column.settings}.")
            place = {"column": column.name, "session": column.session, "judged": column.mariadb is not None}
            for what in (kills.WORKING, kills.SUPERVISOR):
                for items in kills.ITEMS:
                    say(f"{column.name}, {what} killed, {items} items")
                    rounds = kills.measure(column, items, what, options.rounds or ROUNDS)
                    figures.append({**place, "what": what, "items": items, "rounds": rounds})
    return {"versions": with_what, "settings": " ".join(settings), "figures": figures}


def freeze(_options: argparse.Namespace) -> dict[str, Any]:
    say("frozen in the middle")
    return {"versions": versions.of_project(), "settings": freezing.SETTINGS, "figures": freezing.measure(BATCHES)}


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {"kills": kill, "freezing": freeze}


def write(found: dict[str, Any]) -> None:
    """Write these parts; what another run has written of the other part stays."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / "failover.json"
    found = (json.loads(file.read_text()) if file.exists() else {}) | found
    file.write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "failover.md").write_text(markdown(found))


def say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
