"""How many requests a second one replica serves with each session engine, all of them in turns."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.sessions.crowd import crowd
from benchmarks.sessions.servers import run, variables
from deploy.servers.redis import Redis
from deploy.servers.tier import Replica

CONNECTIONS = 8
THREADS = 4
ROUNDS = 11
SLICES = 6
"""Turns that each replica has in a round."""

UNTOUCHED, READING, WRITING = "untouched", "reading", "writing"
PAGES = (UNTOUCHED, READING, WRITING)

Rates = dict[str, dict[str, list[float]]]
"""Requests a second by column, page and round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One replica, and the sessions that are used on it."""

    replica: Replica
    cookies: tuple[str, ...]

    @property
    def named(self) -> str:
        """Return what `load` is told of it."""
        return f"{self.replica.port}:{','.join(self.cookies)}"


def measure(database_url: str, columns: Mapping[str, str], say: Callable[[str], None]) -> Rates:
    """Measure each page of each column in each round."""
    rates: Rates = {name: {page: [] for page in PAGES} for name in columns}
    with Redis() as redis, targets(variables(database_url, redis.url), columns) as lent:
        for number in range(ROUNDS):
            say(f"cost, round {number + 1} of {ROUNDS}")
            for page in PAGES:
                for name, rate in rates_in_turns(page, {name: lent[name] for name in turned(list(columns), number)}):
                    rates[name][page].append(rate)
    return rates


def rates_in_turns(page: str, lent: Mapping[str, Target]) -> Iterable[tuple[str, float]]:
    """Return how many requests for a page each replica serves a second while none of the others is asked."""
    arguments = [f"/bench/{page}", str(SLICES), *(target.named for target in lent.values())]
    return zip(lent, json.loads(run({}, "-m", "benchmarks.sessions.load", *arguments)), strict=True)


@contextlib.contextmanager
def targets(env: Mapping[str, str], columns: Mapping[str, str]) -> Iterator[dict[str, Target]]:
    """Lend one replica for each column."""
    env = {**env, "WEB_CONCURRENCY": "1", "WEB_THREADS": str(THREADS)}
    with contextlib.ExitStack() as stack:
        replicas = {
            name: stack.enter_context(Replica(f"r{number}", {**env, "DJANGO_SETTINGS_MODULE": settings}))
            for number, (name, settings) in enumerate(columns.items())
        }
        yield {name: Target(replica=replica, cookies=sessions(replica)) for name, replica in replicas.items()}


def sessions(replica: Replica) -> tuple[str, ...]:
    """Return the cookies of users who have logged in on a replica, one after the other."""
    browsers = crowd(replica.url, CONNECTIONS).browsers
    for browser in browsers:
        asyncio.run(browser.log_in())
    return tuple(browser.cookies["sessionid"] for browser in browsers)


def turned(names: list[str], number: int) -> list[str]:
    """Return the names, beginning with another one in each round."""
    first = number % len(names)
    return names[first:] + names[:first]
