"""Gathers what a run has left behind into one history."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaos import journal, ledger
from chaos.values import Fault, History, Lead, Period, Request, Share


def read(folder: Path, database: str, facts: Mapping[str, Any]) -> History:
    """Read journal, logs and tables; `facts` are what the rig knows itself."""
    return History(
        entries=journal.entries(folder / "journal"),
        faults=tuple(Fault(**{**line, "nodes": tuple(line["nodes"])}) for line in journal.lines(folder / "faults")),
        periods=tuple(Period(**line) for line in journal.lines(folder / "periods")),
        shares=tuple(Share(**line) for line in journal.lines(folder / "shares")),
        leads=tuple(Lead(**line) for line in journal.lines(folder / "leads")),
        requests=tuple(Request(**line) for line in journal.lines(folder / "requests")),
        troubles=tuple(line["text"] for line in journal.lines(folder / "troubles")),
        jobs=ledger.jobs(database),
        cursors=ledger.cursors(database),
        fires=ledger.fires(database),
        executions=ledger.executions(database),
        items=ledger.items(database),
        instances=ledger.instances(database),
        effects=ledger.effects(database),
        markers=ledger.markers(database),
        **facts,
    )
