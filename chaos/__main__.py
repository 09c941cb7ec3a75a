"""python -m chaos [--seconds 600] [--seed N]: lets faults happen to real processes, and judges what they did.

The last line is the verdict; the exit code is 1 on any violation.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.versions import of_project
from chaos.checker import check
from chaos.figures import figures
from chaos.keeping import keep
from chaos.report import verdict, write
from chaos.run import run

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
LONG = 600.0
"""A run of so many seconds, or more, is a result to keep."""


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that servers end with this process
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"chaos: SEED={seed} SECONDS={options.seconds:g}", flush=True)
    folder, versions = Path(tempfile.mkdtemp(prefix="chaos-")), of_project()
    try:
        history = run(folder, seed, options.seconds, options.settings)
    except (KeyboardInterrupt, SystemExit):
        shutil.rmtree(folder)
        raise
    except Exception:
        print(f"the rig itself has failed; what there is, is in {folder}")
        raise
    violations = check(history)
    results = options.results or (RESULTS if options.seconds >= LONG else None)
    if results:
        write(history, violations, versions, results)
    kept = bool(violations or options.keep)
    keep(history, folder / "history.json") if kept else shutil.rmtree(folder)
    print(verdict(figures(history, violations), folder if kept else None))
    return 1 if violations else 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description="With no options, as `make chaos` runs it.")
    parser.add_argument("--seconds", type=float, default=LONG, help="how long faults happen (default: %(default)g)")
    parser.add_argument("--seed", type=int, help="repeat the faults of the run that printed it")
    parser.add_argument("--results", type=Path, help="write the report into this folder, however short the run")
    parser.add_argument("--settings", default="chaos.settings", help="of the schedulers (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep what the run left behind, also without a violation")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
