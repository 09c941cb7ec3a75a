"""The scheduler on a machine whose clock is off by as many seconds as a file says."""

import os
import time
from pathlib import Path

from scheduling.management.commands import runscheduler


def shifted() -> float:
    return time.time() + float(Path(os.environ["PROBE_CLOCK"]).read_text())


class Command(runscheduler.Command):
    wall_clock = staticmethod(shifted)
