"""The way out of a wrong cron expression: what its author probably meant, in Quartz's words."""

import difflib
import re
import unicodedata
from collections.abc import Iterable

MACROS = {
    "@yearly": "0 0 0 1 1 ?",
    "@annually": "0 0 0 1 1 ?",
    "@monthly": "0 0 0 1 * ?",
    "@weekly": "0 0 0 ? * SUN",
    "@daily": "0 0 0 * * ?",
    "@midnight": "0 0 0 * * ?",
    "@hourly": "0 0 * * * ?",
}

SHOWN = 40


def excerpt(value: str, most: int = SHOWN) -> str:
    """Return `value` as a message shows it: at most `most` characters, all of them visible."""
    shown = value if len(value) <= most else value[: most - 1] + "…"
    return shown if shown.isprintable() else ascii(shown)[1:-1]


def nearest_name(word: str, names: Iterable[str]) -> str:
    """Return the name that `word` is a longer or a misspelt form of; empty if there is none."""
    head = word[:9].upper()
    longer = [name for name in names if head.startswith(name)]
    close = longer or difflib.get_close_matches(head, names, n=1, cutoff=0.5)
    return close[0] if close and len(head) > 1 else ""


def count_from_one(text: str, most: int) -> str:
    """Return a list that counts from 0 as one that counts from 1 to `most`."""

    def shifted(match: re.Match[str]) -> str:
        return match[1] + str(min(int(match[2]) + 1, most))

    return re.sub(r"(^|[,-])(\d{1,6})", shifted, text[:200])


def from_crontab(fields: list[str]) -> tuple[str, ...]:
    """Return the Quartz lines that fire when a five-field crontab line does: one, or two if both days are set.

    crontab(5) counts weekdays SUN=0 to SAT=6 with another SUN=7, and fires when either day matches.
    """
    minutes, hours, day, month, weekday = fields
    weekday = _crontab_weekday(weekday)
    by_day, by_weekday = f"0 {minutes} {hours} {day} {month} ?", f"0 {minutes} {hours} ? {month} {weekday}"
    if weekday == "*":
        return (by_day,)
    return (by_weekday,) if day == "*" else (by_day, by_weekday)


def _crontab_weekday(text: str) -> str:
    def shifted(match: re.Match[str]) -> str:
        return match[1] + str(int(match[2]) % 7 + 1)

    return re.sub(r"(^|[,-])([0-7])(?!\d)", shifted, re.sub(r"\b0-7\b", "0-6", text[:200]))


def as_ascii(text: str) -> str:
    """Return `text` with full-width forms and unusual spaces as plain ones; other characters stay."""
    return " ".join(unicodedata.normalize("NFKC", text[:200]).split())
