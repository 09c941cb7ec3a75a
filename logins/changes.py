"""What a request has changed in its session, and the same changes applied to what others have written since. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The keys that were written, with their values, and those that were removed."""

    written: Values
    removed: frozenset[str]

    def applied(self, values: Values) -> dict[str, Any]:
        """Return the values with these changes."""
        return {key: value for key, value in values.items() if key not in self.removed} | dict(self.written)

    def apply_to(self, values: dict[str, Any]) -> None:
        """Make these changes in place: what was not changed stays the same object."""
        for key in self.removed:
            values.pop(key, None)
        values.update(self.written)


def changes(before: Values, after: Values) -> Changes:
    """Return what leads from the one to the other; values are equal if their JSON is."""
    written = {key: after[key] for key in after if key not in before or text_of(before[key]) != text_of(after[key])}
    return Changes(written=written, removed=frozenset(before.keys() - after.keys()))


def text_of(value: Any) -> str:
    """Return a value as JSON, in ASCII and without spaces."""
    return json.dumps(value, separators=(",", ":"))


def session_text(values: Values) -> str:
    """Return a session as JSON, or name the key whose value cannot be."""
    try:
        return text_of(values)
    except (TypeError, ValueError, RecursionError):
        for key, value in values.items():
            _refuse_other_than_json(key, value)
        raise


def values_of(text: str) -> dict[str, Any]:
    """Return the session that a JSON text is; an empty one if it is none."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _refuse_other_than_json(key: Any, value: Any) -> None:
    try:
        text_of({key: value})
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"session[{key!r}] = {value!r} cannot be kept: sessions are JSON ({error}). Store a text or a number."
        ) from error
