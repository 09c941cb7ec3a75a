"""What a login remembers of itself: how it began, how often the start page was asked for, and who answered."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zlib import crc32

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

KEPT = 10
"""Replicas that are remembered, the last ones."""

COLOURS = 5
"""Classes `sc-r0` … of the style sheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """What the session knew after a visit; `began` is None for a login that began elsewhere."""

    count: int
    replicas: list[str]
    began: datetime | None
    through: str

    @property
    def distinct(self) -> list[str]:
        return sorted(set(self.replicas))

    @property
    def coloured(self) -> list[tuple[str, int]]:
        """Return each replica with its colour."""
        return [(name, colour_of(name)) for name in self.replicas]


def colour_of(name: str) -> int:
    """Return a replica's colour, which stays: by the number at the end of its name, as in web-2, if there is one."""
    number = re.search(r"\d+$", name, re.ASCII)
    return (int(number[0]) if number else crc32(name.encode())) % COLOURS


@receiver(user_logged_in)
def begin(request: HttpRequest, **_: Any) -> None:
    """Note when and through which replica this login began, and forget an earlier one of the same browser."""
    request.session["login"] = {"at": timezone.now().isoformat(), "through": settings.REPLICA}
    request.session["replicas"] = []
    request.session["visits"] = 0


def visit(session: SessionBase) -> Visits:
    """Count a visit that this replica answers, and return what is known by now."""
    session["visits"] = session.get("visits", 0) + 1
    session["replicas"] = [*session.get("replicas", []), settings.REPLICA][-KEPT:]
    login = session.get("login", {})
    return Visits(
        count=session["visits"],
        replicas=session["replicas"],
        began=datetime.fromisoformat(login["at"]) if login else None,
        through=login.get("through", ""),
    )
