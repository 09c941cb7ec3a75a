"""The door through which `check.py` of the Quartz answers asks for fire times."""

from datetime import datetime

from scheduling.domain.trigger import next_fire_times


def fires(expr: str, tz: str, start: str, n: int, dst: str = "once") -> list[str]:
    """Return the next `n` fire times after `start` as YYYY-MM-DDTHH:MM:SSZ; raise ValueError to refuse."""
    times = next_fire_times(expr, tz, datetime.fromisoformat(start), n, dst)
    return [time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in times]
