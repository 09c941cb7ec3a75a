"""python -m benchmarks.full: measures an empty and a full ledger on MariaDB and SQLite, and writes benchmarks/results/.

Both are asked in turns, so that whatever else the machine does meets both alike.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import versions
from benchmarks.full.table import beyond, markdown, plans
from benchmarks.traffic import connect
from deploy.servers.mariadb import MariaDB

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results"
ROUNDS = 101
WARM_UP = 10
OPTIONS = ("--innodb-buffer-pool-size=512M", "--skip-log-bin", "--performance-schema=0")
PLANS = ROOT / "docs" / "query-plans.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.full")
    parser.add_argument("--fires", type=int, default=600_000, help="how many fires are loaded")
    parser.add_argument("--serve", action="store_true", help="be a process that measures one database")
    options = parser.parse_args()
    if options.serve:
        from benchmarks.full.measure import serve  # sets up Django

        serve(options.fires)
        return
    found = {"MariaDB": on_mariadb(options.fires), "SQLite": on_sqlite(options.fires)}
    page = markdown(versions.of_project(), options.fires, found)
    print(page)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "full.md").write_text(page)
    (RESULTS / "full.json").write_text(json.dumps({"fires": options.fires, "found": found}, indent=1) + "\n")
    PLANS.write_text(plans(options.fires, found))
    sys.exit(any(beyond(each) for each in found.values()))


def on_mariadb(fires: int) -> dict[str, Any]:
    with MariaDB(OPTIONS) as server:
        with contextlib.closing(connect(server.url)) as connection:
            connection.cursor().execute("CREATE DATABASE full")
        return measured(server.url, server.url.rpartition("/")[0] + "/full", fires)


def on_sqlite(fires: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return measured(f"sqlite:///{folder}/empty.sqlite3", f"sqlite:///{folder}/full.sqlite3", fires)


def measured(empty_url: str, full_url: str, fires: int) -> dict[str, Any]:
    """Return name → median in ms, of the empty and of the full ledger, and the full one's plans."""
    with serving(empty_url, 0) as empty, serving(full_url, fires) as full:
        rounds = [(ask(empty, "round"), ask(full, "round")) for _ in range(WARM_UP + ROUNDS)][WARM_UP:]
        statements = ask(full, "plans")
        pruned = [ask(full, "prune") for _ in range(min(ROUNDS, fires // 4_000))]
    return {
        "empty": medians([each for each, _full in rounds]),
        "full": medians([each for _empty, each in rounds]),
        "prune": medians(pruned),
        "plans": statements,
    }


@contextlib.contextmanager
def serving(url: str, fires: int) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"DATABASE_URL": url, "SECRET_KEY": "not-secret", "LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.full", "--serve", "--fires", str(fires)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            answer(process)
            yield process
        finally:
            process.terminate()


def ask(process: subprocess.Popen[str], what: str) -> Any:
    assert process.stdin
    print(what, file=process.stdin, flush=True)
    return answer(process)


def answer(process: subprocess.Popen[str]) -> Any:
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("the measuring process has ended")
    return json.loads(line)


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(median(each[name] for each in rounds), 2) for name in rounds[0]}


if __name__ == "__main__":
    main()
