"""Tables for the terminal, where a Chinese character is two columns wide."""

from collections.abc import Sequence
from itertools import zip_longest
from unicodedata import combining, east_asian_width


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a line for each row, its cells padded so that columns stand below each other."""
    cells = [[_printable(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip_longest(*cells, fillvalue="")]
    return ["  ".join(map(_pad, row, widths)).rstrip() for row in cells]


def width(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def _pad(cell: str, columns: int) -> str:
    return cell + " " * (columns - width(cell))


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
