"""Users who click at a fixed rate, whether or not the last answer has come."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.sessions.browser import Answer, Browser, user_name

AT_ONCE = 6
"""Logins at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """One click: what came of it, and how many seconds after it was due."""

    answer: Answer
    seconds: float

    @property
    def is_error(self) -> bool:
        return not (self.answer.is_logged_in or self.answer.is_logged_out)


class Crowd:
    """Some users with a browser each."""

    def __init__(self, browsers: Sequence[Browser]) -> None:
        self.browsers = browsers
        self.last_replica = ""

    async def log_in(self) -> None:
        """Log in all who are not, and have each see a page."""
        await self._log_in([browser for browser in self.browsers if not (await browser.get()).is_logged_in])

    async def log_in_anew(self) -> None:
        """Log in all, whoever they have been."""
        await self._log_in(self.browsers)

    async def _log_in(self, browsers: Iterable[Browser]) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(browser: Browser) -> None:
            async with gate:
                await browser.log_in()
                await browser.get()

        await asyncio.gather(*map(one, browsers))

    async def click_until(self, over: asyncio.Event, interval: float) -> list[Click]:
        """Have each user click once in `interval` seconds, evenly spread, until it is over; return all clicks."""
        began, step = time.monotonic(), interval / len(self.browsers)
        under_way: list[asyncio.Task[Click]] = []
        while not over.is_set():
            due = began + len(under_way) * step
            await asyncio.sleep(due - time.monotonic())
            browser = self.browsers[len(under_way) % len(self.browsers)]
            under_way.append(asyncio.create_task(self._click(browser, due)))
        return await asyncio.gather(*under_way)

    async def _click(self, browser: Browser, due: float) -> Click:
        answer = await browser.get()
        self.last_replica = answer.replica or self.last_replica
        return Click(answer=answer, seconds=time.monotonic() - due)

    async def logged_in(self) -> int:
        """Return how many are logged in, by asking for one more page each."""
        return sum([(await browser.get()).is_logged_in for browser in self.browsers])


def crowd(url: str, count: int, *, first: int = 0, sources: Sequence[str] = ()) -> Crowd:
    """Return a crowd of users, beginning with the one of that number."""
    names = [user_name(first + number) for number in range(count)]
    return Crowd([Browser(url, name, sources[number] if sources else "") for number, name in enumerate(names)])
