"""Whether the ledger's clock has leapt forward, by this machine's monotonic one, perhaps with the machine's own."""

from datetime import datetime, timedelta

LEAP = timedelta(seconds=60)
"""More than a virtual machine that is paused can be behind without being declared dead."""

BELIEVED_AFTER_SECONDS = 600.0
"""So long a clock that leapt can be set back; one that was behind before, and is right now, is believed afterwards."""


class Leap:
    """The ledger's clock as the monotonic one carries it from one reading to the next.

    Where the ledger is on this machine both have one clock, and comparing them does not tell that it is a day
    ahead. A step back needs no care: cursors never move back.
    """

    def __init__(self) -> None:
        self._now: datetime | None = None
        self._asked_at = 0.0
        self._since: float | None = None

    @property
    def is_on(self) -> bool:
        """Is the ledger's clock not to be believed?"""
        return self._since is not None

    def note(self, asked_at: float, ledger_now: datetime, answered_at: float) -> None:
        """Take over a reading of the ledger's clock, made between these two times of the monotonic one.

        As much time may have passed since the last one as since it was asked for: its answer may have come late. One
        that came later than a leap is long tells nothing.
        """
        if answered_at - asked_at > LEAP.total_seconds():
            return
        ahead = ledger_now - self._now - timedelta(seconds=answered_at - self._asked_at) if self._now else timedelta()
        if ahead > LEAP:
            self._since = answered_at if self._since is None else self._since
            if answered_at - self._since < BELIEVED_AFTER_SECONDS:
                return
        self._now, self._asked_at, self._since = ledger_now, asked_at, None

    def forget(self) -> None:
        """Believe the next reading, whatever it is."""
        self._now = self._since = None
