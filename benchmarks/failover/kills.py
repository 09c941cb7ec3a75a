"""How soon another instance has all items, and has begun anew what was unfinished, after one was killed."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.changes import Change, gained_so_many
from benchmarks.columns import Column
from benchmarks.site import Site, eventually
from deploy.daemons import began_at

ITEMS = (10, 1000)
WORKING, SUPERVISOR = "working process", "supervisor too"
TIMEOUT = 90.0
SPARE_SECONDS = 1.5
"""After the end of what ran, and beyond a session, before the next kill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One start of an item's handler, as it noted it itself."""

    item: int
    attempt: int
    pid: int
    time: float


@dataclass(slots=True, kw_only=True)
class Kills:
    """Two instances that share the items of one job, one of which is killed again and again."""

    column: Column
    items: int
    what: str
    older: subprocess.Popen[bytes]
    younger: subprocess.Popen[bytes]

    @property
    def site(self) -> Site:
        return self.column.site

    @property
    def job(self) -> str:
        return name_of(self.items)

    def round(self, *, running: bool) -> dict[str, Any]:
        """Kill the older one; return the seconds until the other has all items, and runs what was unfinished."""
        # So long that the survivor has been in the cluster for a whole session, as it usually has.
        time.sleep(self.column.session + SPARE_SECONDS if self.what == SUPERVISOR else SPARE_SECONDS)
        if running:
            self.site.held.touch()
            self.site.run("manage.py", "jobs", "run", self.job)
            eventually(lambda: len(held(self.site)) == self.items, TIMEOUT, "all items run")
        found = self._kill()
        self._restart()
        if running:
            self.site.held.unlink()
            self.site.journal.unlink()
        return found

    def _kill(self) -> dict[str, Any]:
        working, other = (self.site.working_pid(each) for each in (self.older, self.younger))
        lost = {note.item for note in held(self.site) if note.pid == working}
        lines, killed_at = len(self.site.log_lines()), time.time()
        if self.what == SUPERVISOR:
            self.site.kill(self.older)  # its working process ends with it
        else:
            os.kill(working, signal.SIGKILL)
        owned = gain(self, other, self.items // 2, lines)
        found: dict[str, Any] = {"owned again": round(owned.time - killed_at, 3)}
        if lost:
            again = eventually(lambda: all_again(self.site, lost, other), TIMEOUT, "they run again")
            found |= {"runs again": round(again - killed_at, 3), "unfinished": len(lost)}
        eventually(lambda: not began_at(working), TIMEOUT, "the working process has ended")
        return found

    def _restart(self) -> None:
        """Wait until the killed one's successor has its half; it is the younger one then."""
        self.older, self.younger = self.younger, self.older
        if self.what == SUPERVISOR:
            self.younger = self.site.start(self.items)
        gain(self, self.site.working_pid(self.younger), self.items // 2)


def measure(column: Column, items: int, what: str, rounds: int) -> list[dict[str, Any]]:
    """Kill so many times, first while nothing runs, then in the middle of executions."""
    site = column.site
    site.configure("bench-hold", jobs=1, items=items)
    older = site.start(items)
    eventually(lambda: gained_so_many(site, name_of(items), site.working_pid(older), items), TIMEOUT, "it has all")
    kills = Kills(column=column, items=items, what=what, older=older, younger=site.start(items))
    try:
        gain(kills, site.working_pid(kills.younger), items // 2)
        found = [kills.round(running=number >= rounds // 2) for number in range(rounds)]
    except BaseException:
        print("\n".join(site.log_lines()[-100:]))
        raise
    site.close()
    return found


def gain(kills: Kills, pid: int, items: int, after: int = 0) -> Change:
    """Wait until an instance has gained so many items, after so many lines of the log."""
    found: Change = eventually(
        lambda: gained_so_many(kills.site, kills.job, pid, items, after), TIMEOUT, f"{pid} has its items"
    )
    return found


def held(site: Site) -> list[Held]:
    """Return what the handlers have noted."""
    lines = site.journal.read_text().splitlines() if site.journal.exists() else []
    rows = (line.split() for line in lines)
    return [Held(item=int(item), attempt=int(n), pid=int(pid), time=float(at)) for item, n, pid, at in rows]


def all_again(site: Site, lost: set[int], pid: int) -> float | None:
    """Return when the last of these items began anew in this process; None if one has not yet."""
    again = {note.item: note.time for note in held(site) if note.attempt > 1 and note.pid == pid}
    return max(again.values()) if set(again) == lost else None


def name_of(items: int) -> str:
    return f"bench-hold-{items}-0"
