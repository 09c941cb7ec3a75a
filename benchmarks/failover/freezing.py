"""Instances that are frozen around and within `context.once()`."""

from typing import Any

SETTINGS = ""


def measure(batches: int) -> dict[str, Any]:
    raise NotImplementedError
