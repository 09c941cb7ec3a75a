"""Which row a job or an item is: both are kept for ever, so an id once read holds, unless somebody deletes the row."""

from collections.abc import Iterable

from scheduling.domain.errors import UnknownJob
from scheduling.models import Item, Job

Key = tuple[str, int]
"""A job's name and the number of one of its items."""


class Rows:
    """The ids of jobs and items by their names, read once."""

    def __init__(self) -> None:
        self._jobs: dict[str, int] = {}
        self._items: dict[Key, int] = {}

    def jobs(self, names: Iterable[str]) -> dict[str, int]:
        """Return name → id; raise `UnknownJob`."""
        wanted = list(names)
        if any(name not in self._jobs for name in wanted):
            self._jobs.update(Job.objects.values_list("name", "id"))
        for name in wanted:
            if name not in self._jobs:
                raise UnknownJob(name)
        return {name: self._jobs[name] for name in wanted}

    def names(self, ids: Iterable[int]) -> dict[int, str]:
        """Return id → name of these jobs."""
        names = {id: name for name, id in self._jobs.items()}
        wanted = set(ids)
        if wanted - names.keys():
            self._jobs.update(Job.objects.values_list("name", "id"))
            names = {id: name for name, id in self._jobs.items()}
        return {id: names[id] for id in wanted}

    def items(self, keys: Iterable[Key]) -> dict[Key, int]:
        """Return (job, number) → id of the item's row."""
        wanted = list(keys)
        if missing := sorted({job for job, number in wanted if (job, number) not in self._items}):
            self._read_items(self.jobs(missing))
        return {key: self._items[key] for key in wanted}

    def lacking(self, keys: Iterable[Key]) -> frozenset[Key]:
        """Return those of these items that have no row."""
        unknown = {key for key in keys if key not in self._items}
        if unknown:
            self._read_items(self.jobs({job for job, _ in unknown}))
        return frozenset(key for key in unknown if key not in self._items)

    def forget(self, keys: Iterable[Key]) -> None:
        """Read these items anew the next time: somebody may have deleted their rows."""
        for key in keys:
            self._items.pop(key, None)

    def _read_items(self, jobs: dict[str, int]) -> None:
        names = {id: name for name, id in jobs.items()}
        rows = Item.objects.filter(job_id__in=names).values_list("job_id", "number", "id")
        self._items.update({(names[job], number): id for job, number, id in rows})
