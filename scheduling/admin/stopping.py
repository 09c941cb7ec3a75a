"""What disabling or retiring jobs does to their executions, in numbers."""

from collections import Counter
from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduling.domain.fire import ExecutionState
from scheduling.models import Execution
from scheduling.models.ledger import IS_LIVE


def consequences(jobs: Iterable[int]) -> str:
    """Say what becomes of what is live."""
    states = Counter(Execution.objects.filter(IS_LIVE, job__in=list(jobs)).values_list("state", flat=True))
    running = states.pop(ExecutionState.RUNNING, 0)
    return " ".join([_running(running), _unclaimed(states.total())])


def _running(number: int) -> str:
    if not number:
        return _("Nothing of it is running.")
    return ngettext(
        "%(number)s running execution goes on to its end.", "%(number)s running executions go on to their end.", number
    ) % {"number": number}


def _unclaimed(number: int) -> str:
    if not number:
        return _("Nothing is pending or waiting.")
    return ngettext(
        "%(number)s pending or waiting execution is cancelled.",
        "%(number)s pending or waiting executions are cancelled.",
        number,
    ) % {"number": number}
