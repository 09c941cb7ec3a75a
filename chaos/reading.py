"""Gathers what a run has left behind into one history, and keeps it as a file that can be judged again."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from chaos import journal, ledger
from chaos.values import Fault, History, Period, Request


def read(folder: Path, database: str, facts: Mapping[str, Any]) -> History:
    """Read journal, logs and tables; `facts` are what the rig knows itself."""
    return History(
        entries=journal.entries(folder / "journal"),
        faults=tuple(Fault(**{**line, "nodes": tuple(line["nodes"])}) for line in journal.lines(folder / "faults")),
        periods=tuple(Period(**line) for line in journal.lines(folder / "periods")),
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


def keep(history: History, file: Path) -> None:
    file.write_text(json.dumps(dataclasses.asdict(history)))


def load(file: Path) -> History:
    """Return a history that was kept."""
    loaded: History = _built(History, json.loads(file.read_text()))
    return loaded


def _built(kind: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: _built(hints[name], each) for name, each in value.items()})  # type: ignore[operator]
    if get_origin(kind) is tuple:
        return tuple(_built(get_args(kind)[0], each) for each in value)
    return value
