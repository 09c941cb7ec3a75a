"""The pages of fires: every fire time, and what became of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Case, Prefetch, Value, When
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from scheduling.admin import words
from scheduling.admin.counts import count_items
from scheduling.admin.execution import outcome_of, took_by, with_ending
from scheduling.admin.ledger import JobFilter, LedgerAdmin, link_to
from scheduling.admin.states import lines, state_cell
from scheduling.admin.times import brief, duration, in_both_zones, late_by
from scheduling.domain.fire import ExecutionState, FireState, Reason
from scheduling.models import Execution, Fire
from scheduling.models.ledger import FIRE_STATES, IS_UNSETTLED, REASONS, Kind

if TYPE_CHECKING:
    from django.db.models import QuerySet

SHOWN_EXECUTIONS = 200
NOT_RUN = (Reason.NOBODY_WAS_UP, Reason.STILL_RAN, Reason.EDITED, Reason.DISABLED, Reason.RETIRED, Reason.TOO_OLD)
"""Why a fire did not run; the other reasons are those of executions."""


class FireStateFilter(admin.SimpleListFilter):
    """Fires in one state; the open ones have an index."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(FIRE_STATES.items())

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Fire]") -> "QuerySet[Fire]":
        if self.value() is None:
            return queryset
        rows = queryset.filter(IS_UNSETTLED) if self.value() == FireState.OPEN else queryset
        return rows.filter(state=self.value())


class ReasonFilter(admin.SimpleListFilter):
    """Fires that did not run, by why."""

    title = _("why it did not run")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(reason.value, REASONS[reason]) for reason in NOT_RUN]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Fire]") -> "QuerySet[Fire]":
        return queryset.filter(reason=self.value()) if self.value() is not None else queryset


@admin.register(Fire)
class FireAdmin(LedgerAdmin):
    list_display = ("state_shown", "fire", "outcome", "items", "late", "took")
    list_filter = (FireStateFilter, ReasonFilter, "kind", JobFilter)
    fieldsets = (
        (None, {"fields": ("state_shown", "outcome", "job_shown", "time", "asked", "items", "late", "took")}),
        (_("Executions"), {"fields": ("executions",)}),
        (_("As it was opened"), {"fields": ("opened", "opener", "settled", "revision", "parameters_shown")}),
    )
    readonly_fields = (
        *("state_shown", "outcome", "job_shown", "time", "asked", "items", "late", "took"),
        *("executions", "opened", "settled", "parameters_shown"),
    )

    def for_list(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        fires = Prefetch("coalesced_into", Fire.objects.defer("parameters"))
        return rows.defer("parameters").prefetch_related("job", fires)

    def is_indexed(self, filters: Mapping[str, Any]) -> bool:
        return filters.get("state") == [FireState.OPEN]

    def read_more(self, rows: list[Any]) -> None:
        counts = count_items(rows)
        for row in rows:
            row.item_counts = counts.get(row.pk)

    @admin.display(description=_("state"))
    def state_shown(self, fire: Fire) -> str:
        return state_cell(fire.state, fire.get_state_display())

    @admin.display(description=_("fire"))
    def fire(self, fire: Fire) -> str:
        return lines(link_to(fire, fire.job.name), brief(fire.fire_time, fire.job.time_zone))

    @admin.display(description=_("What became of it"))
    def outcome(self, fire: Fire) -> str:
        return words.of_fire(fire, _counts(fire) or {})

    @admin.display(description=_("items"))
    def items(self, fire: Fire) -> str:
        if fire.missed_count:
            return "–"
        total, counts = number_format(fire.total), _counts(fire)
        return total if counts is None else f"{number_format(counts.get(ExecutionState.SUCCEEDED, 0))} / {total}"

    @admin.display(description=_("Late by"))
    def late(self, fire: Fire) -> str:
        if fire.missed_count or fire.kind != Kind.SCHEDULED:
            return "–"
        return late_by(fire.opened_at - fire.fire_time)

    @admin.display(description=_("Took"))
    def took(self, fire: Fire) -> str:
        if fire.missed_count:
            return "–"
        if fire.settled_at is None:
            return _("%(duration)s so far") % {"duration": duration(timezone.now() - fire.opened_at)}
        return duration(fire.settled_at - fire.opened_at)

    @admin.display(description=_("job"))
    def job_shown(self, fire: Fire) -> str:
        return fire.job.name if fire.job.retired_at else link_to(fire.job, fire.job.name)

    @admin.display(description=_("fire time"))
    def time(self, fire: Fire) -> str:
        return in_both_zones(fire.fire_time, fire.job.time_zone)

    @admin.display(description=_("asked for by"))
    def asked(self, fire: Fire) -> str:
        return lines(fire.get_kind_display(), fire.asked_by)

    @admin.display(description=_("opened"))
    def opened(self, fire: Fire) -> str:
        return in_both_zones(fire.opened_at, fire.job.time_zone)

    @admin.display(description=_("settled"))
    def settled(self, fire: Fire) -> str:
        return in_both_zones(fire.settled_at, fire.job.time_zone) if fire.settled_at else "–"

    @admin.display(description=_("item parameters"))
    def parameters_shown(self, fire: Fire) -> str:
        pairs = sorted(fire.parameters.items(), key=lambda pair: int(pair[0]))
        written = ", ".join(f"{item}={parameter}" for item, parameter in pairs)
        return Truncator(written).chars(2_000) or "–"

    @admin.display(description=_("executions"))
    def executions(self, fire: Fire) -> SafeString:
        rows = _most_telling(fire)
        context = {"fire": fire, "rows": [_row(row, fire) for row in rows], "more": len(rows) < fire.total}
        return render_to_string("admin/scheduling/fire/executions.html", context)


def _counts(fire: Any) -> words.ItemCounts | None:
    """Return what `read_more` has read for the list, or read it for one fire's page."""
    if not hasattr(fire, "item_counts"):
        fire.item_counts = count_items([fire]).get(fire.pk)
    counts: words.ItemCounts | None = fire.item_counts
    return counts


def _most_telling(fire: Fire) -> list[Execution]:
    """Return the fire's executions: what failed, then what moves, then the others."""
    order = (*words.TROUBLE, *words.MOVING)
    rank = Case(*(When(state=state, then=Value(at)) for at, state in enumerate(order)), default=Value(len(order)))
    rows = with_ending(Execution.objects.filter(fire=fire)).defer("message").select_related("job")
    return list(rows.order_by(rank, "item")[:SHOWN_EXECUTIONS])


def _row(execution: Execution, fire: Fire) -> dict[str, object]:
    return {
        "state": state_cell(execution.state, execution.get_state_display()),
        "item": link_to(execution, str(execution.item)),
        "parameter": fire.parameters.get(str(execution.item), ""),
        "instance": execution.instance_id or "–",
        "attempt": execution.attempt,
        "outcome": outcome_of(execution),
        "took": took_by(execution, timezone.now()),
    }
