"""How long shares are uneven when an instance joins. What happens when one is killed is in `benchmarks.failover`."""

from benchmarks.changes import Change, gained_so_many, registered
from benchmarks.columns import Column
from benchmarks.site import Site, eventually

ITEMS = 10
JOB = f"bench-hold-{ITEMS}-0"
TIMEOUT = 60.0


def measure(column: Column, runs: int) -> dict[str, list[float]]:
    """Return, for each run, the seconds from an instance's registration until it has its half."""
    site = column.site
    site.configure("bench-hold", jobs=1, items=ITEMS)
    site.start()
    gain(site, site.working_pid(site.instances[0]), ITEMS)
    seconds = [round(join(site), 3) for _run in range(runs)]
    site.close()
    return {"shares even": seconds}


def join(site: Site) -> float:
    """Start one more instance, and end it when it has its share."""
    lines = len(site.log_lines())
    elder, new = site.instances[0], site.start()
    pid = site.working_pid(new)
    share = gain(site, pid, ITEMS // 2)
    registration = registered(site.log_lines(), pid)[0]
    site.kill(new)
    gain(site, site.working_pid(elder), ITEMS - ITEMS // 2, lines)
    return share.time - registration.time


def gain(site: Site, pid: int, items: int, after: int = 0) -> Change:
    """Wait until an instance has gained so many items."""
    found: Change = eventually(lambda: gained_so_many(site, JOB, pid, items, after), TIMEOUT, f"{pid} has its items")
    return found
