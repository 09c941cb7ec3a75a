"""What happens to servers while users click, and what these see of it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.sessions.browser import QUIET, Browser
from benchmarks.sessions.crowd import Click, Crowd, crowd
from benchmarks.sessions.found import Outcome
from deploy.servers.redis import Redis
from deploy.servers.tier import Tier

USERS = 60
ENDERS = 6
"""Users beside these, who log out while Redis is away."""

INTERVAL = 0.5
"""Seconds between two clicks of one user."""

LEAD = 1.5
SETTLE = 3.0
PROBES = (2.0, 3.0, 4.0, 5.0, 6.0)
"""Seconds after the end of a fault at which cookies that were logged out are tried."""


class Stage:
    """The servers and the crowd of one column."""

    def __init__(self, tier: Tier, redis: Redis) -> None:
        self.tier = tier
        self.redis = redis
        self.crowd = crowd(tier.url, USERS)
        self.victim = ""

    def kill_replica(self) -> None:
        """Kill the replica that answered last."""
        self.victim = self.crowd.last_replica
        self.tier.replicas[self.victim].kill()

    def start_replica(self) -> None:
        self.tier.replicas[self.victim].start()


def nothing(stage: Stage) -> None:
    """Let all be as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is done to begin with, and so many seconds after that it has begun to end it; both block."""

    begin: Callable[[Stage], None] = nothing
    end: Callable[[Stage], None] = nothing
    seconds: float = 3.0
    is_of_redis: bool = False


FAULTS = {
    "none": Fault(),
    "a replica killed (-9) for 3 s": Fault(begin=Stage.kill_replica, end=Stage.start_replica),
    "rolling restart": Fault(begin=lambda stage: stage.tier.rolling_restart(), seconds=0),
    "Redis restarted, away for 3 s": Fault(
        begin=lambda stage: stage.redis.stop(), end=lambda stage: stage.redis.start(), is_of_redis=True
    ),
    "Redis killed (-9) for 3 s": Fault(
        begin=lambda stage: stage.redis.kill(), end=lambda stage: stage.redis.start(), is_of_redis=True
    ),
    "Redis frozen for 3 s": Fault(
        begin=lambda stage: stage.redis.freeze(), end=lambda stage: stage.redis.thaw(), is_of_redis=True
    ),
    "Redis FLUSHALL": Fault(begin=lambda stage: stage.redis.flush(), seconds=0, is_of_redis=True),
}


async def measure(stage: Stage, fault: Fault) -> Outcome:
    """Let one fault happen while users click."""
    enders = crowd(stage.tier.url, ENDERS if fault.is_of_redis else 0, first=USERS)
    await stage.crowd.log_in()
    await enders.log_in()
    over = asyncio.Event()
    clicking = asyncio.create_task(stage.crowd.click_until(over, INTERVAL))
    await asyncio.sleep(LEAD)
    ended, revived = await happen(stage, fault, enders)
    over.set()
    clicks = await clicking
    logged_in = await stage.crowd.logged_in()
    return outcome(clicks, logged_in=logged_in, enders=len(enders.browsers), ended=ended, revived=revived)


async def happen(stage: Stage, fault: Fault, enders: Crowd) -> tuple[int, int]:
    """Let the fault happen, with logouts in it; return how many there were, and how many did not last."""
    began = time.monotonic()
    await asyncio.to_thread(fault.begin, stage)
    ended = await log_out(enders.browsers)
    await asyncio.sleep(began + fault.seconds - time.monotonic())
    await asyncio.to_thread(fault.end, stage)
    if not fault.is_of_redis:
        await asyncio.sleep(SETTLE)
        return 0, 0
    return len(ended), await revived(ended, [replica.url for replica in stage.tier.replicas.values()])


async def log_out(browsers: Sequence[Browser]) -> list[Browser]:
    """Log out; return browsers that still have the cookies of those for whom it was done."""
    before = [browser.twin(browser.url) for browser in browsers]
    done = await asyncio.gather(*(browser.log_out() for browser in browsers))
    return [browser for browser, is_done in zip(before, done, strict=True) if is_done]


async def revived(ended: Sequence[Browser], urls: Sequence[str]) -> int:
    """Try cookies that were logged out on every replica for a while; return how many opened a page."""
    began, users = time.monotonic(), set()
    for at in PROBES:
        await asyncio.sleep(began + at - time.monotonic())
        for browser in ended:
            for url in urls:
                if (await browser.twin(url).get(QUIET)).is_logged_in:
                    users.add(browser.user)
    return len(users)


def outcome(clicks: Sequence[Click], *, logged_in: int, enders: int, ended: int, revived: int) -> Outcome:
    """Return what the clicks and the logouts come to."""
    return Outcome(
        users=USERS,
        logged_in=logged_in,
        clicks=len(clicks),
        errors=sum(click.is_error for click in clicks),
        logged_out=sum(click.answer.is_logged_out for click in clicks),
        slowest=max(click.seconds for click in clicks),
        enders=enders,
        ended=ended,
        revived=revived,
    )
