"""Lists of tables with millions of rows: newest first, Newer and Older instead of numbers, and nothing is counted.

`?p=1234` shows what is older than row 1234, `?p=-1234` what is newer; any other number shows the newest rows.
"""

from typing import TYPE_CHECKING, Any

from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest

SEARCHED_AT_ONCE = 500_000
"""Rows that a page of a filtered list looks at: what no index serves takes half a second, not a minute."""

LARGEST_ID = 2**63 - 2

if TYPE_CHECKING:
    Rows = QuerySet[Any]
else:
    Rows = QuerySet


class LedgerChangeList(ChangeList):
    """A page of a list in the order of ids."""

    model_admin: Any  # a `LedgerAdmin`, which imports this
    newer: str = ""
    older: str = ""
    searches_on = False
    searched = SEARCHED_AT_ONCE

    def get_ordering(self, request: HttpRequest, queryset: Rows) -> list[str | Combinable]:
        return ["-id"]

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Rows:
        rows: Rows = self.model_admin.for_list(super().get_queryset(request, exclude_parameters))
        return rows

    def get_results(self, request: HttpRequest) -> None:
        edge = min(max(self.page_num, -LARGEST_ID), LARGEST_ID)
        rows = self._newer_than(-edge) if edge < 0 else []
        self.result_list = rows or self._older_than(edge if edge > 1 else LARGEST_ID)
        self.model_admin.read_more(self.result_list)
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True
        self.paginator = Paginator(self.result_list, self.list_per_page)

    def _older_than(self, edge: int) -> list[Any]:
        newest = self._newest()
        top = min(edge, newest + 1)
        bottom = max(top - SEARCHED_AT_ONCE, 0) if self._searches() else 0
        rows = list(self.queryset.filter(id__lt=top, id__gte=bottom)[: self.list_per_page + 1])
        self.searches_on = len(rows) <= self.list_per_page and bottom > 0 and self._has_older(bottom)
        shown = rows[: self.list_per_page]
        if len(rows) > self.list_per_page:
            self.older = self._link(shown[-1].id)
        elif self.searches_on:
            self.older = self._link(bottom)
        if top <= newest:
            self.newer = self._link(-(shown[0].id if shown else max(top - 1, 1)))
        return shown

    def _newer_than(self, edge: int) -> list[Any]:
        """Return a full page that begins just above `edge`; empty if the newest rows are nearer than that."""
        top = edge + SEARCHED_AT_ONCE if self._searches() else LARGEST_ID
        rows = list(self.queryset.filter(id__gt=edge, id__lt=top).order_by("id")[: self.list_per_page + 1])
        if len(rows) <= self.list_per_page:
            return []
        shown = rows[self.list_per_page - 1 :: -1]
        self.newer, self.older = self._link(-shown[0].id), self._link(shown[-1].id)
        return shown

    def _has_older(self, edge: int) -> bool:
        return self.root_queryset.order_by().filter(id__lt=edge).exists()

    def _newest(self) -> int:
        return self.root_queryset.order_by("-id").values_list("id", flat=True).first() or 0

    def _searches(self) -> bool:
        filters = self.get_filters_params()
        return bool(filters) and not self.model_admin.is_indexed(filters)

    def _link(self, edge: int) -> str:
        return self.get_query_string({PAGE_VAR: edge})
