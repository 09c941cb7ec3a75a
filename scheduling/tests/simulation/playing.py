"""One core's part of the histories that are played for a while."""

import time
from collections import Counter

from scheduling.tests.simulation.history import Broken
from scheduling.tests.simulation.world import play

HISTORIES = "histories"


def play_some(seeds, seconds, prints):
    """Play the histories of these seeds while there is time; return what was counted, or which promise was broken."""
    began, counts = time.monotonic(), Counter()
    for seed in seeds:
        if time.monotonic() - began >= seconds:
            break
        try:
            history = play(seed)
        except Broken as error:
            return str(error)
        counts += history.counts + Counter({HISTORIES: 1})
        if prints:
            print(f"seed {seed}\n{history}", flush=True)
    return counts
