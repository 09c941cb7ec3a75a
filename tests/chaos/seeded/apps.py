"""The bugs, by the number that they have in docs/seeded-bugs.md."""

from collections.abc import Callable
from typing import Any

from django.apps import AppConfig


class Seeded(AppConfig):
    """Replaces one step of the product in every process that has this app."""

    name = "tests.chaos.seeded"
    label = "seeded"


class WithoutFence(Seeded):
    """9: what an attempt writes counts, whoever holds its item by then."""

    def ready(self) -> None:
        from scheduling.database.fence import DatabaseFence

        DatabaseFence._pass = lambda self, attempt, using: True  # type: ignore[method-assign]


class WithoutMarker(Seeded):
    """10: the marker of `once` is written, but nobody looks for it: the next attempt writes once more."""

    def ready(self) -> None:
        from scheduling.database.fence import DatabaseFence
        from scheduling.models import Marker

        def try_once(
            self: DatabaseFence, attempt: Any, name: str, function: Callable[[], Any], tried: Any, using: str
        ) -> None:
            with self.atomic(attempt, using=using):
                tried.result = function()
                Marker.objects.using(using).get_or_create(execution_id=attempt.execution, name=name)

        DatabaseFence._try_once = try_once  # type: ignore[method-assign]


class WithoutRow(Seeded):
    """20: a cursor passes fire times that no row accounts for."""

    def ready(self) -> None:
        from scheduling.database.opening import OpeningBatch

        OpeningBatch._missed = lambda self: []  # type: ignore[method-assign]
        OpeningBatch._link_coalesced = lambda self: None  # type: ignore[method-assign]


class NeverOpened(Seeded):
    """20: one job is never opened, and its cursor stays where it is."""

    def ready(self) -> None:
        from scheduling.runtime.opener import Opener

        openings = Opener.openings
        Opener.openings = (  # type: ignore[method-assign]
            lambda self, names: openings(self, [name for name in names if name != "quick-skip"])
        )


class RetriedInPlace(Seeded):
    """28: a failed execution is attempted again by the owner of its item, also where it failed."""

    def ready(self) -> None:
        from scheduling.runtime import node

        def owner(execution: Any, cluster: Any) -> Any:
            return cluster.assignments.get(execution.job, {}).get(execution.item)

        node.taker = owner  # type: ignore[attr-defined]
