"""How far this machine's clock is from the ledger's, and whether that is too far."""

from datetime import datetime

LIMIT_SECONDS = 5.0
GOOD_READINGS = 2
"""So many in a row, and a clock that was off is trusted again."""


class Offset:
    """The offset by the last readings of the ledger's clock; its `seconds` are above 0 if this machine's is ahead.

    Fires go by the ledger's clock alone. But a clock that is off tells handlers the wrong time; and if it is the
    ledger's that has jumped, every instance finds that it is off, and nothing fires before its time.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.is_off = False
        self._good = 0

    def note(self, asked_at: float, ledger_now: datetime, answered_at: float) -> None:
        """Take over a reading; the ledger's clock was read between these two times of this machine's."""
        now = ledger_now.timestamp()
        least, most = asked_at - now, answered_at - now
        # As before, if that may still be so: an answer that came late tells little.
        self.seconds = round(min(max(self.seconds, least), most), 1) + 0.0  # never -0.0
        good = least <= LIMIT_SECONDS and most >= -LIMIT_SECONDS
        self._good = self._good + 1 if good else 0
        self.is_off = not good or (self.is_off and self._good < GOOD_READINGS)
