"""What the lists of fires, executions and instances share: they are read, never written, and never counted."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from scheduling.admin.paging import LedgerChangeList
from scheduling.models import Job

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Model]
    Rows = QuerySet[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Pages that show rows which only instances write. Cells with an own link need no other."""

    list_display_links = None
    sortable_by = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    class Media:
        css = {"all": ("scheduling/console.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        context = {"title": capfirst(self.opts.verbose_name_plural), **(extra_context or {})}
        try:
            return super().changelist_view(request, context)
        except OverflowError:
            # A number in the address that no row can have.
            return HttpResponseRedirect(request.path)


class LedgerAdmin(ReadOnlyAdmin):
    """A table with millions of rows.

    Its list joins nothing: MariaDB would begin at the smaller table, and sort all rows of the large one.
    """

    list_select_related = ()
    list_per_page = 50

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LedgerChangeList]:
        return LedgerChangeList

    def is_indexed(self, filters: Mapping[str, Any]) -> bool:
        """Does an index serve these filters, so that the whole table can be searched at once?"""
        raise NotImplementedError

    def for_list(self, rows: "Rows") -> "Rows":
        """Leave out what the list does not show and would be long, and have related rows read by their ids."""
        return rows

    def read_more(self, rows: list[Any]) -> None:
        """Read what the cells of these rows show beside their columns, in as few queries as it takes."""


class JobFilter(admin.SimpleListFilter):
    """The rows of one job."""

    title = _("job")
    parameter_name = "job"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        jobs = Job.objects.filter(retired_at__isnull=True).order_by("name").values_list("id", "name")
        return [(str(id), name) for id, name in jobs]

    def queryset(self, request: HttpRequest, queryset: "Rows") -> "Rows":
        value = self.value()
        if value is None:
            return queryset
        if not (value.isascii() and value.isdigit() and len(value) < 19):
            raise IncorrectLookupParameters(value)
        return queryset.filter(job_id=int(value))


def link_to(row: Model, text: str) -> SafeString:
    """Return a link to the row's page."""
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=(row.pk,))
    return format_html('<a href="{}">{}</a>', address, text)
