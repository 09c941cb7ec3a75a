"""A browser: keeps cookies and gives them up when told to; each request on a connection of its own."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

PASSWORD = "a-word-of-the-benchmark"
SECONDS = 20.0
"""So long a browser waits for an answer."""

START = "/"
LOGIN = "/login/"
LOGOUT = "/logout/"

QUIET = "/password/"
"""A page that needs a login and does not write the session, as the start page does: that may be refused to one that is
read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The head of an answer; status 0 if there was none, and why."""

    status: int = 0
    location: str = ""
    replica: str = ""
    set_cookies: tuple[str, ...] = ()
    error: str = ""

    @property
    def is_logged_in(self) -> bool:
        """Is it the page of somebody who is logged in?"""
        return self.status == 200

    @property
    def is_logged_out(self) -> bool:
        """Does it lead to the login page?"""
        return self.status == 302 and self.location.startswith(LOGIN)


class Browser:
    """The browser of one user; `source` is the address from which it connects."""

    def __init__(self, url: str, user: str, source: str = "", cookies: Mapping[str, str] | None = None) -> None:
        self.url = url
        self.user = user
        self.source = source
        self.cookies = dict(cookies or {})

    async def get(self, path: str = START) -> Answer:
        return await self._ask("GET", path)

    async def post(self, path: str, form: Mapping[str, str]) -> Answer:
        return await self._ask("POST", path, {**form, "csrfmiddlewaretoken": self.cookies.get("csrftoken", "")})

    async def log_in(self) -> None:
        """Log in by the site's form, or raise RuntimeError."""
        self.cookies.clear()
        await self.get(LOGIN)
        answer = await self.post(LOGIN, {"username": self.user, "password": PASSWORD})
        if answer.status != 302 or "sessionid" not in self.cookies:
            raise RuntimeError(f"{self.user} cannot log in: {answer}")

    async def log_out(self) -> bool:
        """Log out by the site's form; has the site said that it is done?"""
        return (await self.post(LOGOUT, {})).is_logged_out

    def twin(self, url: str) -> "Browser":
        """Return a browser with the same cookies, for another address of the site."""
        return Browser(url, self.user, self.source, self.cookies)

    async def _ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> Answer:
        try:
            async with asyncio.timeout(SECONDS):
                answer = parsed(await self._exchange(request(method, self._host, path, self.cookies, form)))
        except (OSError, TimeoutError) as error:
            return Answer(error=repr(error))
        keep(answer.set_cookies, self.cookies)
        return answer

    async def _exchange(self, sent: bytes) -> bytes:
        host, _, port = self._host.partition(":")
        reader, writer = await asyncio.open_connection(
            host, int(port), local_addr=(self.source, 0) if self.source else None
        )
        try:
            writer.write(sent)
            return await reader.read(-1)
        finally:
            writer.close()

    @property
    def _host(self) -> str:
        return urlsplit(self.url).netloc


def user_name(number: int) -> str:
    return f"user-{number:03}"


def request(
    method: str, host: str, path: str, cookies: Mapping[str, str], form: Mapping[str, str] | None = None
) -> bytes:
    """Return a request as it is sent."""
    body = urlencode(form or {})
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    if cookies:
        lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()))
    if form is not None:
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return ("\r\n".join([*lines, "", ""]) + body).encode()


def parsed(received: bytes) -> Answer:
    """Return the head of what was received; no answer if that is no whole head."""
    head, end, _ = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if not end or not first.startswith("HTTP/1.1 "):
        return Answer()
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    single = dict(headers)
    return Answer(
        status=int(first.split(" ")[1]),
        location=single.get("location", ""),
        replica=single.get("x-replica", ""),
        set_cookies=tuple(value for name, value in headers if name == "set-cookie"),
    )


def keep(set_cookies: tuple[str, ...], cookies: dict[str, str]) -> None:
    """Do with the cookies what the answer says: keep them, or give them up."""
    for line in set_cookies:
        for name, morsel in SimpleCookie(line).items():
            if morsel["max-age"] == "0" or not morsel.value:
                cookies.pop(name, None)
            else:
                cookies[name] = morsel.value
