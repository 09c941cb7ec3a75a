"""The monotonic clock of an instance."""

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def monotonic() -> float:
    """Return seconds that never go back; they go on while the machine sleeps, so that its waking is no leap."""
    return time.clock_gettime(_CLOCK)
