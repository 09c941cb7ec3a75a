"""Running a handler in a test of one's own: no scheduler, no rows of the ledger."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from scheduling.domain.errors import InvalidJob
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.fire import Attempt
from scheduling.domain.job import check_sharding_total_count, parse_item_parameters
from scheduling.ports.ledger import DEFAULT
from scheduling.runtime.context import Context
from scheduling.runtime.executor import message_of
from scheduling.runtime.handlers import Handler, handler_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of a handler returned, the last (done, total) it reported, and the names done by `context.once`."""

    result: str | None
    progress: tuple[int, int] | None
    done: tuple[str, ...]


def run(
    function: Callable[[Context], Any],
    *,
    item: int = 0,
    total: int | None = None,
    parameter: str | None = None,
    fire_time: datetime | None = None,
    attempt: int = 1,
) -> Run:
    """Run a handler once, as a worker would, and return what came of it; what it raises is raised here.

    `total` and `parameter` are by default what the code declares (`total` at least `item` + 1), `fire_time` is now.
    `context.atomic()` and `context.once()` are outermost transactions of their database, as in production.
    Raise `UnknownHandler` if no `@job` declares the function, `InvalidJob` for an item that cannot be, and
    `BadResult` for a return value that would fail the execution.
    """
    handler = handler_of(function)
    claimed = _attempt(handler, item, total, parameter, fire_time or timezone.now().replace(microsecond=0), attempt)
    fence = _Unfenced()
    context = Context(claimed, fence, instance="testing")
    result = handler.function(context)
    message_of(result)
    return Run(result=result, progress=context.progress_made(), done=tuple(fence.done))


class _Unfenced:
    """`scheduling.ports.ledger.Fence` for an attempt that nobody can take over."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def check(self, attempt: Attempt) -> None:
        pass

    @contextmanager
    def atomic(self, attempt: Attempt, *, using: str = DEFAULT) -> Iterator[None]:
        with transaction.atomic(using=using, durable=True):
            yield

    def once(self, attempt: Attempt, name: str, function: Callable[[], Any], *, using: str = DEFAULT) -> Any:
        with self.atomic(attempt, using=using):
            result = None if name in self.done else function()
        if name not in self.done:
            self.done.append(name)
        return result


def _attempt(
    handler: Handler, item: int, total: int | None, parameter: str | None, fire_time: datetime, number: int
) -> Attempt:
    items = max(handler.sharding_total_count, item + 1) if total is None else total
    _check(item, items, fire_time, number)
    return Attempt(
        execution=0,
        fire=0,
        job=handler.name,
        item=item,
        token=number,
        number=number,
        fire_time=fire_time.astimezone(UTC),
        run=0,
        total=items,
        parameters=_parameters(handler, item, items, parameter),
    )


def _check(item: int, total: int, fire_time: datetime, number: int) -> None:
    check_sharding_total_count(total)
    if not 0 <= item < total:
        raise InvalidJob(
            _("item %(item)s is outside 0-%(last)s: choose one of these or give a larger total"),
            item=item,
            last=total - 1,
        )
    if number < 1:
        raise InvalidJob(_("attempt %(number)s cannot be: the first is 1"), number=number)
    if fire_time.utcoffset() is None:
        raise InvalidJob(_("%(value)s has no time zone: give an aware time"), value=fire_time.isoformat())


def _parameters(handler: Handler, item: int, total: int, parameter: str | None) -> dict[int, str]:
    declared = parse_item_parameters(handler.item_parameters, max(total, handler.sharding_total_count))
    parameters = {number: label for number, label in declared.items() if number < total}
    return parameters if parameter is None else parameters | {item: parameter}
