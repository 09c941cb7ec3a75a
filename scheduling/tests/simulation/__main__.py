"""Play histories for a while, on all cores, or one again: `--seed` is the first."""

import multiprocessing
import os
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed

from scheduling.tests.simulation.playing import HISTORIES, play_some


def main():
    parser = ArgumentParser(prog="python -m scheduling.tests.simulation", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for how long (default: %(default)s)")
    parser.add_argument("--histories", type=int, default=10**9, help="how many at most")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the first seed (default: the time)")
    parser.add_argument("--print", action="store_true", help="print each history")
    options = parser.parse_args()
    began, counts, cores = time.monotonic(), Counter(), os.cpu_count() or 1
    seeds = range(options.seed, options.seed + options.histories)
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as pool:
        parts = [pool.submit(play_some, seeds[n::cores], options.seconds, options.print) for n in range(cores)]
        for part in as_completed(parts):
            if isinstance(part.result(), str):
                sys.exit(part.result())
            counts += part.result()
    played = counts.pop(HISTORIES)
    for kind, count in sorted(counts.items()):
        print(f"{count:8} {kind}")
    a_minute = 60 * played / (time.monotonic() - began)
    print(f"{played} histories from seed {options.seed}, {a_minute:.0f} a minute; every promise held")


if __name__ == "__main__":
    main()
