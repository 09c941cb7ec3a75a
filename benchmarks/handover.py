"""How long items are without an owner: when an instance is killed, and when one joins."""

import re
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.columns import Column
from benchmarks.site import Site, eventually
from deploy.servers.nginx import children

ITEMS = 10
JOB = f"bench-hold-{ITEMS}-0"
TIMEOUT = 60.0
END_SECONDS = 1.0
"""What the handlers have to end in, once nothing holds them."""

GAINED = re.compile(rf"(\S+) INFO \S+ {JOB} items gained: (.+) on (\S+)")
REGISTERED = re.compile(r"(\S+) INFO \S+ instance (\S+) is registered")
RANGE = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One start of an item's handler, as it noted it itself."""

    item: int
    attempt: int
    pid: int
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A line of the log that says who has something now."""

    time: float
    id: str
    items: int = 0


def measure(column: Column, runs: int) -> dict[str, list[float]]:
    """Return, for each run, seconds until owned again and until run again after SIGKILL, and until shares are even."""
    site = column.site
    site.configure("bench-hold", jobs=1, items=ITEMS)
    elder, younger = site.start(), site.start()
    share_of(site, 1)
    figures: dict[str, list[float]] = {"owned again": [], "runs again": [], "shares even": []}
    for run in range(runs):
        # So long that the survivor has been in the cluster for a whole session, as it usually has.
        time.sleep(column.session + 1)
        owned, again = kill(site, elder)
        elder, younger = younger, site.start()
        joined = share_of(site, run + 2)
        for name, seconds in zip(figures, (owned, again, joined), strict=True):
            figures[name].append(round(seconds, 3))
    site.close()
    return figures


def kill(site: Site, instance: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Kill an instance that runs its half; return the seconds until the rest is owned, and runs, elsewhere."""
    lines = len(site.log_lines())
    site.held.touch()
    site.run("manage.py", "jobs", "run", JOB)
    eventually(lambda: len(held(site)) == ITEMS, TIMEOUT, "all items run")
    working = children(instance.pid)  # it ends with its supervisor, which is killed
    lost = {note.item for note in held(site) if note.pid in working}
    killed_at = time.time()
    site.kill(instance)
    gained = eventually(lambda: changes(site, GAINED, lines), TIMEOUT, "the items are owned again")[-1]
    again = eventually(lambda: [n for n in held(site) if n.attempt > 1][len(lost) - 1 :], TIMEOUT, "they run again")
    site.held.unlink()
    time.sleep(END_SECONDS)
    site.journal.unlink()
    return gained.time - killed_at, again[-1].time - killed_at


def share_of(site: Site, number: int) -> float:
    """Return the seconds from an instance's registration until it has its share; `number` counts from the first one."""

    def joined() -> Change | None:
        registered = distinct(changes(site, REGISTERED))
        return registered[number] if len(registered) > number else None

    new = eventually(joined, TIMEOUT, "an instance has registered")

    def shared() -> list[Change]:
        return [change for change in changes(site, GAINED) if change.id == new.id and change.items == ITEMS // 2]

    return float(eventually(shared, TIMEOUT, "it has its share")[0].time - new.time)


def distinct(registered: list[Change]) -> list[Change]:
    """Return the first registration of each instance."""
    first: dict[str, Change] = {}
    for change in registered:
        first.setdefault(change.id, change)
    return list(first.values())


def held(site: Site) -> list[Held]:
    """Return what the handlers have noted."""
    lines = site.journal.read_text().splitlines() if site.journal.exists() else []
    rows = (line.split() for line in lines)
    return [Held(item=int(item), attempt=int(n), pid=int(pid), time=float(at)) for item, n, pid, at in rows]


def changes(site: Site, pattern: re.Pattern[str], after: int = 0) -> list[Change]:
    """Return what the log says in lines like the pattern, `after` so many lines."""
    return [change_in(found) for line in site.log_lines()[after:] if (found := pattern.match(line))]


def change_in(found: re.Match[str]) -> Change:
    """Read one line: its time, the instance, and how many items it is about."""
    *words, id = found.groups()
    ranges = RANGE.findall(words[1]) if len(words) > 1 else []
    items = sum(int(last or first) - int(first) + 1 for first, last in ranges)
    return Change(time=seconds_of(words[0]), id=id, items=items)


def seconds_of(stamp: str) -> float:
    return datetime.fromisoformat(stamp).astimezone(UTC).timestamp()
