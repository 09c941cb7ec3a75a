"""The journal: one line a write, appended at once, stamped with the machine's own clock; nothing of the product."""

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from chaos.values import Entry

LONGEST = 4000
"""Bytes of a line: one write of no more is never mixed with another's."""


def append(path: str, line: Mapping[str, Any]) -> None:
    """Add one line in one write."""
    text = (json.dumps(line) + "\n").encode()
    if len(text) > LONGEST:
        raise ValueError(f"a line of {len(text)} bytes could be torn")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, text)
    finally:
        os.close(descriptor)


def lines(path: Path) -> list[dict[str, Any]]:
    """Return what has been appended to a file; nothing if it is not there."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def entries(path: Path) -> tuple[Entry, ...]:
    """Return the journal."""
    names = {field.name for field in fields(Entry)}
    return tuple(Entry(**{name: value for name, value in line.items() if name in names}) for line in lines(path))
