"""The tables: what people configure, the ledger, and the registry of one machine."""

from scheduling.models.job import Job
from scheduling.models.ledger import Cursor, Execution, Fence, Fire, Instance, Item, Marker
from scheduling.models.registry import Assignment, Leadership, Registration, Snapshot

__all__ = [
    "Assignment",
    "Cursor",
    "Execution",
    "Fence",
    "Fire",
    "Instance",
    "Item",
    "Job",
    "Leadership",
    "Marker",
    "Registration",
    "Snapshot",
]
