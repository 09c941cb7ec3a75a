"""`make demo-sessions`: why sessions must be shared, seen on three real set-ups that lose their servers one by one.

python -m benchmarks.sessions.demo
"""

import asyncio
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.sessions.crowd import Click, Crowd, crowd
from benchmarks.sessions.servers import database, tier, variables
from deploy.servers.redis import Redis
from deploy.servers.tier import Tier

USERS = 30
CLICKS = 6
"""Each user's, at first."""

SOURCES = [f"127.0.{number}.1" for number in range(USERS)]
"""Addresses of this machine, each in another network: `ip_hash` looks at the first three numbers only."""

OURS = "benchmarks.sessions.settings.ours"
PER_REPLICA = "benchmarks.sessions.settings.per_replica"
NAMES = [
    "set-up",
    "requests served logged in",
    "logged in after a replica's death",
    "after a rolling restart",
    "after a Redis restart",
]
EXPLANATION = """\
Sessions per replica: the login is known to one replica of three, and the next click goes to another one, which has
  the browser give up its cookie. Nobody stays logged in.
ip_hash: nginx sends an address always to the same replica, so that it works, until a replica goes: its users are logged
  out, and each deployment, which is a rolling restart, logs out all. (And a whole office has one address.)
Shared: the sessions are in the database, with copies in Redis; any replica serves any click, and any of them may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """Where sessions are, and how nginx chooses a replica."""

    name: str
    settings: str
    upstream: str = "upstream.conf"

    @property
    def has_redis(self) -> bool:
        return self.settings == OURS


SET_UPS = (
    SetUp(name="per replica, round robin", settings=PER_REPLICA),
    SetUp(name="per replica, ip_hash", settings=PER_REPLICA, upstream="upstream-ip-hash.conf"),
    SetUp(name="shared, round robin", settings=OURS),
)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that servers end with this process
    say("MariaDB and Redis start")
    with database(USERS) as mariadb, Redis() as redis:
        rows = [row(set_up, mariadb.url, redis) for set_up in SET_UPS]
    print(table([NAMES, *rows]))
    print(f"\n{USERS} users, three replicas behind nginx. After each fault everybody clicks some more.")
    print(EXPLANATION)


def row(set_up: SetUp, database_url: str, redis: Redis) -> list[str]:
    """Return what one set-up comes to."""
    say(f"{set_up.name}: three replicas start")
    env = variables(database_url, redis.url if set_up.has_redis else "")
    with tier(env, set_up.settings, set_up.upstream) as lent:
        return [set_up.name, *asyncio.run(cells(set_up, lent, redis))]


async def cells(set_up: SetUp, lent: Tier, redis: Redis) -> list[str]:
    users = crowd(lent.url, USERS, sources=SOURCES)
    say(f"{set_up.name}: {USERS} users log in and click")
    found = [f"{await served(users):.0%}"]
    victim = lent.replicas[users.last_replica]
    say(f"{set_up.name}: {victim.name} is killed")
    found.append(await after(users, victim.kill))
    await asyncio.to_thread(victim.start)
    say(f"{set_up.name}: the replicas are restarted one by one")
    found.append(await after(users, lent.rolling_restart))
    if not set_up.has_redis:
        return [*found, "—"]
    say(f"{set_up.name}: Redis is restarted")
    return [*found, await after(users, lambda: restart(redis))]


async def served(users: Crowd) -> float:
    """Return which part of the clicks after a login is answered to somebody who is logged in."""
    await users.log_in_anew()
    clicks = await clicked(users, CLICKS)
    return sum(click.answer.is_logged_in for click in clicks) / len(clicks)


async def after(users: Crowd, fault: Callable[[], None]) -> str:
    """Return how many of users who have all just logged in still are, after a fault and some clicks."""
    await users.log_in_anew()
    await asyncio.to_thread(fault)
    await clicked(users, 3)
    return f"{await users.logged_in()} of {len(users.browsers)}"


async def clicked(users: Crowd, times: int) -> list[Click]:
    """Have each user click so often, twice a second."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(times / 2, over.set)
    return await users.click_until(over, 0.5)


def restart(redis: Redis) -> None:
    redis.stop()
    redis.start()


def table(rows: list[list[str]]) -> str:
    """Return the rows in columns, the first above a rule."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
