"""Play histories for a while, or one again: `--seed` is the first."""

import sys
import time
from argparse import ArgumentParser
from collections import Counter

from scheduling.tests.simulation.history import Broken
from scheduling.tests.simulation.world import play


def main():
    parser = ArgumentParser(prog="python -m scheduling.tests.simulation", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for how long (default: %(default)s)")
    parser.add_argument("--histories", type=int, default=None, help="how many at most")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the first seed (default: the time)")
    parser.add_argument("--print", action="store_true", help="print each history")
    options = parser.parse_args()
    began, played, counts = time.monotonic(), 0, Counter()
    try:
        while time.monotonic() - began < options.seconds and played != options.histories:
            history = play(options.seed + played)
            counts += history.counts
            played += 1
            if options.print:
                print(f"seed {history.seed}\n{history}")
    except Broken as error:
        sys.exit(str(error))
    for kind, count in sorted(counts.items()):
        print(f"{count:8} {kind}")
    a_minute = 60 * played / (time.monotonic() - began)
    print(f"{played} histories from seed {options.seed}, {a_minute:.0f} a minute; every promise held")


if __name__ == "__main__":
    main()
