"""Claiming: compare-and-set on the item and on the execution, in one short transaction."""

from collections.abc import Iterable, Sequence

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.expressions import RawSQL

from scheduling.database.clock import DatabaseNow
from scheduling.database.rows import Rows
from scheduling.domain.errors import InstanceDead
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.fire import ExecutionState, LiveExecution
from scheduling.models import Execution, Instance, Item
from scheduling.models.ledger import IS_LIVE

CLAIMABLE = (ExecutionState.PENDING, ExecutionState.WAITING)


class ClaimRefused(Exception):
    """Some item is not free, or some execution not claimable any more: roll back, and look again."""


def claim_all(executions: Sequence[LiveExecution], rows: Rows, by: str, claim: str) -> None:
    """Claim all of these, within the caller's transaction; raise `ClaimRefused` or `InstanceDead` to roll it back."""
    check_alive(by)
    items = rows.items((execution.job, execution.item) for execution in executions)
    holders = {items[execution.job, execution.item]: execution.execution for execution in executions}
    if hold_items(holders, by) != len(executions) or start_executions(holders.values(), by, claim) != len(executions):
        raise ClaimRefused


def check_alive(by: str) -> None:
    """Lock the instance's own row: its death is either committed before this, or waits for the claim."""
    # An EXISTS in the claim's own UPDATE would read that row without a lock, and let a dead instance claim.
    if not Instance.objects.filter(id=by, died_at__isnull=True).update(seen=F("seen") + 1):
        raise InstanceDead(_("instance %(instance)s has been declared dead"), instance=by)


def hold_items(holders: dict[int, int], by: str) -> int:
    """Give each free item to its execution under a larger token; return how many were free."""
    # The same as Case(When(..), ..), which takes Django ten times as long as the database takes for the statement.
    pairs = [id for pair in sorted(holders.items()) for id in pair]
    holder = RawSQL(f"CASE id {'WHEN %s THEN %s ' * len(holders)}END", pairs)
    return free_items(holders).update(token=F("token") + 1, execution_id=holder, instance_id=by)


def free_items(ids: Iterable[int]) -> QuerySet[Item]:
    """Those of the items that no execution holds."""
    return Item.objects.filter(id__in=sorted(ids), execution_id__isnull=True)


def start_executions(ids: Iterable[int], by: str, claim: str) -> int:
    """Mark the claimable ones of these executions running, with the token of their item; return how many."""
    # From the item's row: a joined UPDATE would copy the token as it was, or as it will be, depending on the database.
    token = Item.objects.filter(execution_id=OuterRef("id")).values("token")[:1]
    claimable = Execution.objects.filter(id__in=sorted(ids), state__in=CLAIMABLE, due_at__lte=DatabaseNow())
    return claimable.update(
        state=ExecutionState.RUNNING,
        attempt=F("attempt") + 1,
        token=Subquery(token),
        instance_id=by,
        claim=claim,
        started_at=DatabaseNow(),
        progress_done=None,
        progress_total=None,
        reason="",
        message="",
    )


def claimed(claim: str) -> QuerySet[Execution]:
    """What a claim has won and still holds."""
    return Execution.objects.filter(IS_LIVE, state=ExecutionState.RUNNING, claim=claim)
