"""The pages of jobs: the one place where people configure them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db import OperationalError, models, transaction
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from scheduling.admin import job_cells
from scheduling.admin.declared import differences
from scheduling.admin.job_actions import JobActionForm, JobActions, unanswered
from scheduling.admin.job_form import JobForm, NumberField
from scheduling.admin.stopping import consequences
from scheduling.database import configuration
from scheduling.database.declarations import note_changed
from scheduling.domain.errors import ClockAhead
from scheduling.models import Fire, Job
from scheduling.models.job import as_validation_error

if TYPE_CHECKING:
    from django.db.models import QuerySet

    ModelAdmin = admin.ModelAdmin[Job]
else:
    ModelAdmin = admin.ModelAdmin

WHAT = ("name", "handler", "description", "enabled")
WHEN = ("trigger_kind", "cron", "interval", "at", "time_zone", "dst", "next_fires")
CUT_UP = ("sharding_total_count", "item_parameters")
LATE = ("misfire", "fire_all_most", "fire_all_age")
RUNS = ("isolation", "timeout", "on_timeout")
FAILS = ("retries", "retry_elsewhere", ("retry_delay", "retry_backoff", "retry_delay_most"), "failover")
KEPT = ("keep_days", "keep_fires")


class JobChangeList(ChangeList):
    """The last fires of a page's jobs are read at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        fires = Fire.objects.defer("parameters").in_bulk([row.last_fire_id for row in self.result_list])
        for row in self.result_list:
            row.last_fire = fires.get(row.last_fire_id)


class HandlerFilter(admin.SimpleListFilter):
    """Jobs of one handler."""

    title = _("handler")
    parameter_name = "handler"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        jobs = Job.objects.filter(retired_at__isnull=True).order_by("handler")
        return [(handler, handler) for handler in jobs.values_list("handler", flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Job]") -> "QuerySet[Job]":
        return queryset.filter(handler=self.value()) if self.value() is not None else queryset


@admin.register(Job)
class JobAdmin(JobActions, ModelAdmin):
    form = JobForm
    action_form = JobActionForm
    actions = ("enable", "disable", "run_now", "take_the_codes")
    list_display = ("name", "enabled_shown", "fires_on", "next_fire", "items", "last_fire", "handler_shown")
    list_filter = ("enabled", HandlerFilter)
    search_fields = ("name", "description")
    sortable_by = ("name",)
    show_facets = admin.ShowFacets.NEVER
    formfield_overrides: ClassVar[Any] = {
        models.PositiveIntegerField: {
            "form_class": NumberField,
            "min_value": None,
            "widget": forms.TextInput(attrs={"class": "vIntegerField", "inputmode": "numeric", "autocomplete": "off"}),
        }
    }
    radio_fields = {"trigger_kind": admin.HORIZONTAL, "misfire": admin.HORIZONTAL}

    class Media:
        css = {"all": ("scheduling/console.css",)}

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        fires = Fire.objects.filter(job=OuterRef("pk")).order_by("-fire_time", "-run").values("id")
        jobs = super().get_queryset(request).filter(retired_at__isnull=True).select_related("cursor")
        return jobs.annotate(last_fire_id=Subquery(fires[:1]))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[JobChangeList]:
        return JobChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        try:
            return super().changelist_view(request, title | (extra_context or {}))
        except OverflowError:
            # A number in the address that no row can have.
            return HttpResponseRedirect(request.path)

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        try:
            return super().response_action(request, *args, **kwargs)
        except (OverflowError, ValueError):
            messages.error(request, _("Nothing was done: what was selected is no job. Load the list again."))
            return HttpResponseRedirect(request.path)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except OperationalError as error:
            context = {**self.admin_site.each_context(request), "said": unanswered(error), "opts": self.opts}
            return TemplateResponse(request, "admin/scheduling/job/unanswered.html", context, status=503)

    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> list[tuple[Any, Any]]:
        edits = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        fieldsets = [
            (_("What it does"), {"fields": (*WHAT, *(("revision",) if edits and obj else ()))}),
            (_("When it fires"), {"fields": WHEN}),
            (_("How it is cut up"), {"fields": (*CUT_UP, "strategy" if edits else "strategy_shown")}),
            (_("When it is late"), {"fields": LATE}),
            (_("How it runs"), {"fields": RUNS}),
            (_("When it fails"), {"fields": FAILS}),
            (_("How long it is remembered"), {"fields": KEPT}),
        ]
        differs = (_("Differs from the code"), {"fields": ("differs",)})
        return [*fieldsets, differs] if obj and differences(obj) else fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Job | None = None) -> tuple[str, ...]:
        return ("next_fires", "differs", *(("name",) if obj else ()))

    def save_model(self, request: HttpRequest, obj: Job, form: forms.Form, change: bool) -> None:
        if form.changed_data or not change:
            note_changed(obj, form.changed_data if change else [differing.field for differing in differences(obj)])
            configuration.save(obj)
        if obj.never_fires_after(timezone.now()):
            said = _("Job %(job)s never fires again: its trigger names no time after now.")
            messages.warning(request, said % {"job": obj.name})

    def delete_model(self, request: HttpRequest, obj: Job) -> None:
        configuration.retire(obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Job]") -> None:
        for id in queryset.order_by("name").values_list("id", flat=True):
            with transaction.atomic():
                configuration.retire(configuration.locked(id))

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[str], list[str]]:
        rows = list(objs)
        said = [str(row) for row in rows]
        return (
            [*said, consequences([row.pk for row in rows])],
            {self.opts.verbose_name_plural: len(rows)},
            set(),
            _why_not_now(),
        )

    @admin.display(description=_("enabled"))
    def enabled_shown(self, row: Job) -> str:
        return job_cells.enabled(row)

    @admin.display(description=_("Fires on"))
    def fires_on(self, row: Job) -> str:
        return job_cells.fires_on(row)

    @admin.display(description=_("Next fire"))
    def next_fire(self, row: Job) -> str:
        return job_cells.next_fire(row, timezone.now())

    @admin.display(description=_("Next fires"))
    def next_fires(self, row: Job) -> str:
        return job_cells.next_fires(row, timezone.now())

    @admin.display(description=_("items"))
    def items(self, row: Job) -> int:
        return row.sharding_total_count

    @admin.display(description=_("handler"))
    def handler_shown(self, row: Job) -> str:
        return job_cells.handler(row)

    @admin.display(description=_("sharding strategy"))
    def strategy_shown(self, row: Job) -> str:
        # Django shows a choice that is none of the field's as nothing.
        return row.get_strategy_display()

    @admin.display(description=_("Last fire"))
    def last_fire(self, row: Any) -> str:
        return job_cells.last_fire(row.last_fire, row)

    @admin.display(description=_("Settings"))
    def differs(self, row: Job) -> str:
        return job_cells.differs(row)


def _why_not_now() -> list[str]:
    """Say why nothing can be retired now, in a list that is empty if it can."""
    try:
        configuration.check_clock()
    except ClockAhead as error:
        return as_validation_error(error).messages
    return []
