"""Cutting off: an attempt ends while its handler still runs; its item stays held until the handler returns."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db.models import F

from scheduling.database.finishing import end_attempts, still_holding
from scheduling.database.rows import Rows
from scheduling.domain.fire import Attempt, ExecutionState, Result
from scheduling.models import Execution, Item


def cut_off(results: Sequence[Result], rows: Rows, not_after: datetime | None) -> dict[int, int]:
    """Write these results under larger tokens, within the caller's transaction; return execution → token.

    Also of those that were cut off before: the answer may have been lost.
    """
    holding = still_holding(results, rows)
    items = rows.items((result.attempt.job, result.attempt.item) for result in results)
    held = [items[result.attempt.job, result.attempt.item] for result in holding]
    Item.objects.filter(id__in=sorted(held)).update(token=F("token") + 1)
    end_attempts(holding, rows, not_after)
    return {execution: token for r in results for execution, token in _cut_off_from(r, items).items()}


def _cut_off_from(result: Result, items: Mapping[tuple[str, int], int]) -> dict[int, int]:
    attempt = result.attempt
    runs = Execution.objects.filter(id=attempt.execution, state=ExecutionState.RUNNING).exists()
    token = attempt.token + 1
    held = Item.objects.filter(id=items[attempt.job, attempt.item], token=token, execution_id=attempt.execution)
    return {attempt.execution: token} if not runs and held.exists() else {}


def release(tokens: Mapping[Attempt, int], rows: Rows) -> None:
    """Free the items of attempts that were cut off, within the caller's transaction."""
    items = rows.items((attempt.job, attempt.item) for attempt in tokens)
    for attempt in sorted(tokens, key=lambda each: items[each.job, each.item]):
        held = Item.objects.filter(id=items[attempt.job, attempt.item], execution_id=attempt.execution)
        held.filter(token=tokens[attempt]).update(execution_id=None, instance_id=None)
