"""A browser without a screen: keeps cookies, reads a page's forms, and sends them with all that they hold."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, Request, build_opener

UNSENT = ("button", "file", "image", "reset", "submit")


@dataclass(kw_only=True)
class Form:
    """A form of a page, with what its fields hold."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """What one address answered."""

    def __init__(self, address: str, text: str) -> None:
        super().__init__()
        self.address = address
        self.text = text
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select = ""
        self._textarea = ""
        self.feed(text)

    def form_with(self, name: str) -> Form:
        """Return the first form that has a field of this name."""
        return next(form for form in self.forms if name in form.fields)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        if tag == "form":
            self._form = Form(action=urljoin(self.address, found.get("action", "")))
            self.forms.append(self._form)
        elif self._form is not None:
            self._read_field(self._form.fields, tag, found.get("name", ""), found)

    def _read_field(self, fields: dict[str, str], tag: str, name: str, found: dict[str, str]) -> None:
        if tag == "input" and name and self._is_sent(found):
            fields[name] = found.get("value", "on" if found.get("type") == "checkbox" else "")
        elif tag == "textarea" and name:
            self._textarea = name
            fields[name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and (self._select not in fields or "selected" in found):
            fields[self._select] = found.get("value", "")

    def _is_sent(self, found: dict[str, str]) -> bool:
        kind = found.get("type", "text")
        return (
            kind not in UNSENT and "disabled" not in found and (kind not in ("checkbox", "radio") or "checked" in found)
        )

    def handle_data(self, data: str) -> None:
        if self._form is not None and self._textarea:
            self._form.fields[self._textarea] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea" and self._form is not None and self._textarea:
            # HTML drops the line break after the start tag.
            self._form.fields[self._textarea] = self._form.fields[self._textarea].removeprefix("\n")
            self._textarea = ""


class Browser:
    """One person's session at the site of `address`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def open(self, path: str) -> Page:
        return self._ask(Request(urljoin(self.address, path)))

    def send(self, page: Page, form: Form, **changed: Any) -> Page:
        """Send a form of the page with some of its fields changed, and return the page it leads to."""
        fields = urlencode(form.fields | changed).encode()
        return self._ask(Request(form.action, data=fields, headers={"Referer": page.address}))

    def _ask(self, request: Request) -> Page:
        with self._opener.open(request, timeout=30) as answer:
            return Page(answer.url, answer.read().decode())
