"""Opening what is due: a job that cannot be opened keeps no other back, and waits for its next fire time."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from scheduling.domain.errors import BrokenLedger
from scheduling.domain.misfire import Opening
from scheduling.ports.ledger import Ledger
from scheduling.runtime.agenda import Agenda

logger = logging.getLogger("scheduling.node")


class Opener:
    """What an instance opens, and what the ledger has refused to."""

    def __init__(self, ledger: Ledger, agenda: Agenda) -> None:
        self._ledger = ledger
        self._agenda = agenda
        self._refused: dict[str, tuple[int, datetime]] = {}

    def openings(self, names: Iterable[str]) -> list[Opening]:
        """Return what to open of these jobs now."""
        return [o for name in sorted(names) if (o := self._agenda.opening(name)) and not self._was_refused(o)]

    def open(self, openings: Sequence[Opening], *, by: str) -> frozenset[str]:
        """Open these and return the jobs that were won, or that need not be tried again."""
        won = self._open(openings, by)
        for opening in openings:
            if opening.job.name in won:
                self._agenda.pass_to(opening.job.name, opening.counted_to)
        return won

    def _open(self, openings: Sequence[Opening], by: str) -> frozenset[str]:
        try:
            return self._ledger.open(openings, by=by)
        except BrokenLedger as error:
            if len(openings) == 1:
                name = openings[0].job.name
                what = "%s cannot be opened; what was due up to %s has no row until the job is saved again: %s"
                logger.error(what, name, openings[0].counted_to, error)
                self._refused[name] = openings[0].place
                return frozenset({name})
            # One broken job must not keep the others back.
            return frozenset(name for opening in openings for name in self._open([opening], by))

    def _was_refused(self, opening: Opening) -> bool:
        refused = self._refused.get(opening.job.name) == opening.place
        if refused:
            self._agenda.pass_to(opening.job.name, opening.counted_to)
        return refused
