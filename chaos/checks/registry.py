"""The registry's tree: no node too many, none of the dead, and every item owned once by one who lives."""

import json
from collections import Counter
from collections.abc import Iterable

from chaos.values import History, Violation


def bounded(history: History) -> list[Violation]:
    """There are as many instances as nodes, all alive, and no more of anything than there should be."""
    folders = history.tree.folders
    living = _living(history)
    found = []
    if len(folders["instances"]) != len(history.nodes) or not folders["instances"].keys() <= living:
        found.append(f"instances {sorted(folders['instances'])}; alive are {sorted(living)}")
    candidates = [name.rpartition("-")[0] for name in folders["leader"]]
    if not candidates or len(set(candidates)) != len(candidates) or not set(candidates) <= living:
        found.append(f"candidates {sorted(folders['leader'])}; alive are {sorted(living)}")
    names = {job.name for job in history.jobs}
    for folder in ("jobs", "assignments"):
        if not folders[folder].keys() <= names:
            found.append(f"{folder} {sorted(folders[folder].keys() - names)} are nobody's")
    counted = 1 + len(folders) + sum(map(len, folders.values()))
    if history.tree.nodes != counted:
        found.append(f"{history.tree.nodes} nodes instead of {counted}")
    return [Violation(kind="tree", text=text) for text in found]


def _living(history: History) -> set[str]:
    """Return who was alive when the tree was read; ending in order, later, is no death of then."""
    return {i.id for i in history.instances if i.died_at is None or i.died_at > history.end}


def owned_once(history: History) -> list[Violation]:
    """Each item of each enabled job has exactly one owner, who lives."""
    living, found = _living(history), []
    for job, total in sorted(_enabled(history).items()):
        document = history.tree.folders["assignments"].get(job, '{"owners": {}}')
        owners = json.loads(document)["owners"]
        counted = Counter(item for ranges in owners.values() for item in _items(ranges))
        wrong = [item for item in range(total) if counted[item] != 1]
        wrong += [item for item, count in counted.items() if item >= total and count > 1]
        if wrong or not owners.keys() <= living:
            found.append(Violation(kind="owners", text=f"{job}: items {wrong} of {total}; {document}"))
    return found


def _items(ranges: Iterable[tuple[int, int]]) -> list[int]:
    return [item for first, last in ranges for item in range(first, last + 1)]


def _enabled(history: History) -> dict[str, int]:
    """Return the total of each job that was enabled when the tree was read."""
    last = {}
    for period in sorted(history.periods, key=lambda period: period.revision):
        if period.after <= history.end:
            last[period.job] = period
    return {job: period.total for job, period in last.items() if period.enabled}
