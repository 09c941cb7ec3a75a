"""What the log of the instances says about who is there, and who has gained which items."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.site import Site

GAINED = re.compile(r"(\S+) INFO \S+ (\S+) items gained: (.+) on (\S+)")
REGISTERED = re.compile(r"(\S+) INFO \S+ instance (\S+) is registered")
RANGE = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A line of the log that says who has something now."""

    time: float
    id: str
    job: str = ""
    items: int = 0


def gained(lines: list[str], job: str, pid: int) -> list[Change]:
    """Return what the instance of this process has gained of a job."""
    changes = (gain_in(found) for line in lines if (found := GAINED.match(line)))
    return [change for change in changes if change.job == job and is_of(change, pid)]


def gain_in(found: re.Match[str]) -> Change:
    """Read one line: its time, the instance, and how many items it is about."""
    stamp, job, items, id = found.groups()
    ranges = RANGE.findall(items)
    number = sum(int(last or first) - int(first) + 1 for first, last in ranges)
    return Change(time=seconds_of(stamp), id=id, job=job, items=number)


def registered(lines: list[str], pid: int) -> list[Change]:
    """Return when the instance of this process was registered."""
    changes = (registration_in(found) for line in lines if (found := REGISTERED.match(line)))
    return [change for change in changes if is_of(change, pid)]


def registration_in(found: re.Match[str]) -> Change:
    stamp, id = found.groups()
    return Change(time=seconds_of(stamp), id=id)


def seconds_of(stamp: str) -> float:
    return datetime.fromisoformat(stamp).astimezone(UTC).timestamp()


def is_of(change: Change, pid: int) -> bool:
    """Is it about the instance of this process? Its id has the pid before the random part."""
    return change.id.split("-")[-2] == str(pid)


def gained_so_many(site: Site, job: str, pid: int, items: int, after: int = 0) -> Change | None:
    """Return the change by which an instance had so many items, after so many lines of the log; None if not yet."""
    total = 0
    for change in gained(site.log_lines()[after:], job, pid):
        total += change.items
        if total >= items:
            return change
    return None
