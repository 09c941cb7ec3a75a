"""The pages of executions: one sharding item of one fire each."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Prefetch
from django.db.models.functions import Right
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from scheduling.admin import words
from scheduling.admin.ledger import JobFilter, LedgerAdmin, link_to
from scheduling.admin.states import lines, state_cell
from scheduling.admin.times import brief, duration, in_both_zones, late_by, zoned
from scheduling.domain.fire import ExecutionState
from scheduling.models import Execution, Fire
from scheduling.models.ledger import EXECUTION_STATES, IS_LIVE

if TYPE_CHECKING:
    from django.db.models import QuerySet

LIVE = (ExecutionState.PENDING, ExecutionState.RUNNING, ExecutionState.WAITING)
ENDING = 500
"""Characters of a message that lists read."""


class ExecutionStateFilter(admin.SimpleListFilter):
    """Executions in one state; the live ones have an index."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(EXECUTION_STATES.items())

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Execution]") -> "QuerySet[Execution]":
        if self.value() is None:
            return queryset
        rows = queryset.filter(IS_LIVE) if self.value() in LIVE else queryset
        return rows.filter(state=self.value())


@admin.register(Execution)
class ExecutionAdmin(LedgerAdmin):
    list_display = ("state_shown", "execution", "outcome", "instance_shown", "late", "took")
    list_filter = (ExecutionStateFilter, JobFilter)
    fieldsets = (
        (None, {"fields": ("state_shown", "outcome", "fire_shown", "item_shown", "late", "took")}),
        (
            _("Where it ran"),
            {"fields": ("instance_shown", "attempt", "failures", "token", "due", "started", "finished")},
        ),
        (_("What it said"), {"fields": ("progress", "message_shown")}),
    )
    readonly_fields = (
        *("state_shown", "outcome", "fire_shown", "item_shown", "late", "took"),
        *("instance_shown", "due", "started", "finished", "progress", "message_shown"),
    )

    def for_list(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        fires = Prefetch("fire", Fire.objects.defer("parameters"))
        return with_ending(rows).defer("message").prefetch_related("job", fires)

    def is_indexed(self, filters: Mapping[str, Any]) -> bool:
        return "fire__id__exact" in filters or filters.get("state", [""])[0] in LIVE

    @admin.display(description=_("state"))
    def state_shown(self, execution: Execution) -> str:
        return state_cell(execution.state, execution.get_state_display())

    @admin.display(description=_("execution"))
    def execution(self, execution: Execution) -> str:
        name = _("%(job)s item %(item)s") % {"job": execution.job.name, "item": execution.item}
        return lines(link_to(execution, name), brief(execution.fire.fire_time, execution.job.time_zone))

    @admin.display(description=_("What became of it"))
    def outcome(self, execution: Execution) -> str:
        return outcome_of(execution)

    @admin.display(description=_("instance"))
    def instance_shown(self, execution: Execution) -> str:
        name = format_html('<span class="sc-mono">{}</span>', execution.instance_id or "–")
        return lines(name, _("attempt %(attempt)s") % {"attempt": execution.attempt} if execution.attempt > 1 else "")

    @admin.display(description=_("Late by"))
    def late(self, execution: Execution) -> str:
        return late_by(execution.started_at - execution.due_at) if execution.started_at else "–"

    @admin.display(description=_("Took"))
    def took(self, execution: Execution) -> str:
        return took_by(execution, timezone.now())

    @admin.display(description=_("fire"))
    def fire_shown(self, execution: Execution) -> str:
        time = zoned(execution.fire.fire_time, execution.job.time_zone)
        return lines(link_to(execution.fire, execution.job.name), time)

    @admin.display(description=_("sharding item"))
    def item_shown(self, execution: Execution) -> str:
        item = _("%(item)s of %(total)s") % {"item": execution.item, "total": execution.fire.total}
        return lines(item, execution.fire.parameters.get(str(execution.item), ""))

    @admin.display(description=_("due"))
    def due(self, execution: Execution) -> str:
        return in_both_zones(execution.due_at, execution.job.time_zone)

    @admin.display(description=_("started"))
    def started(self, execution: Execution) -> str:
        return in_both_zones(execution.started_at, execution.job.time_zone) if execution.started_at else "–"

    @admin.display(description=_("finished"))
    def finished(self, execution: Execution) -> str:
        return in_both_zones(execution.finished_at, execution.job.time_zone) if execution.finished_at else "–"

    @admin.display(description=_("progress"))
    def progress(self, execution: Execution) -> str:
        return words.progress_of(execution)

    @admin.display(description=_("message"))
    def message_shown(self, execution: Execution) -> str:
        return format_html('<pre class="sc-message">{}</pre>', execution.message) if execution.message else "–"


def with_ending(rows: "QuerySet[Any]") -> "QuerySet[Any]":
    """Have the database cut the messages."""
    cut: QuerySet[Any] = rows.annotate(ending=Right("message", ENDING))
    return cut


def outcome_of(execution: Execution) -> SafeString:
    """Say what became of the execution."""
    return words.of_execution(execution, execution.ending if hasattr(execution, "ending") else execution.message)


def took_by(execution: Execution, now: datetime) -> str:
    """Return how long the execution took, or has been running."""
    if execution.started_at is None:
        return "–"
    if execution.state == ExecutionState.RUNNING:
        return _("%(duration)s so far") % {"duration": duration(now - execution.started_at)}
    return duration(execution.finished_at - execution.started_at) if execution.finished_at else "–"
