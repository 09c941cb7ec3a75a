"""A real browser, and what it saw of the site."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, Response, sync_playwright

OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Lend Debian's Chromium, without a screen."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program, "chromium is not installed: `make setup` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=OPTIONS)
        yield browser
        browser.close()


class NotLoggedIn(AssertionError):
    """A page that asks for a password instead of showing what was asked for."""


@dataclass
class Visitor:
    """One person in one browser, who notes which replica gave each page, and how long the slowest answer took."""

    page: Page
    site: str
    replicas: list[str] = field(default_factory=list)
    slowest: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("response", self._note)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)

    def log_in(self, name: str, password: str) -> None:
        self.page.goto(f"{self.site}/login/")
        self.page.fill("#id_username", name)
        self.page.fill("#id_password", password)
        with self.page.expect_navigation():
            self.page.click("input[type=submit]")
        self._check_logged_in()

    def log_out(self) -> None:
        with self.page.expect_navigation():
            self.page.click("#logout-form button")

    def open(self, path: str) -> None:
        """Ask for a page, and fail unless it is shown to one who is logged in."""
        answer = self.page.goto(f"{self.site}{path}")
        assert answer and answer.status == 200, f"{path}: {answer and answer.status}"
        self._check_logged_in()

    def _check_logged_in(self) -> None:
        self.page.wait_for_load_state("domcontentloaded")
        if not self.page.query_selector("#logout-form"):
            raise NotLoggedIn(f"{self.page.url} asks for a password")

    def _note(self, answer: Response) -> None:
        if answer.status >= 400:
            self.problems.append(f"{answer.status} {answer.url}")
        if answer.request.resource_type == "document":
            self.replicas.append(answer.headers.get("x-replica", ""))
            timing = answer.request.timing
            self.slowest = max(self.slowest, (timing["responseStart"] - timing["requestStart"]) / 1000)
