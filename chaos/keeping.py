"""Keeps a history as a file that can be judged again."""

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from chaos.values import History


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
