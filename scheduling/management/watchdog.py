"""The watchdog: notices that the loop hangs, while the heart beats on and nobody else would take over."""

MOST = 300
"""Looks, one a second. Where the database is silent a statement is given up after ten seconds, on SQLite twenty."""


class Watchdog:
    """Counts looks since the loop last moved; not seconds, as a process that was frozen has not looked either."""

    def __init__(self) -> None:
        self._looks = 0

    def pet(self) -> None:
        """Say that the loop has moved: a tick has ended, or a statement."""
        self._looks = 0

    def look(self) -> bool:
        """Look once more; return whether the loop hangs."""
        self._looks += 1
        return self._looks > MOST
