"""Who this instance is: an id that no other start of a process ever has, and which time zone rules it knows."""

import os
import re
import socket
import uuid
import zoneinfo
from importlib import import_module
from pathlib import Path

ID_LENGTH = 64
SUPERVISOR = "supervisor"
"""Who declares a death that is no other instance: the one that started the instance, and saw it end."""


def new_id() -> str:
    """Return an instance id: host, pid and a random part, in lower-case letters, digits and dashes."""
    host = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().lower()).strip("-") or "host"
    tail = f"-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    return host[: ID_LENGTH - len(tail)] + tail


def tzdata_version() -> str:
    """Return the version of the time zone rules in use, like 2025b; empty if nothing tells it."""
    for folder in zoneinfo.TZPATH:
        rules = Path(folder, "tzdata.zi")
        if rules.is_file():
            with rules.open(encoding="utf-8", errors="replace") as lines:
                return lines.readline().removeprefix("# version").strip()[:20]
        if Path(folder, "UTC").exists():
            return ""
    try:
        return str(import_module("tzdata").IANA_VERSION)
    except ImportError:
        return ""
