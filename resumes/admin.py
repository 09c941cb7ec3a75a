"""The two tables in the admin."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from resumes.models import Resume, ResumeBak, ResumeColumns

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[ResumeColumns]
else:
    ModelAdmin = admin.ModelAdmin


class ResumeColumnsAdmin(ModelAdmin):
    """What both lists show. They count no more rows than they have to."""

    list_display = ("id", "name", "sex", "phone", "address", "education", "state")
    list_display_links = ("id", "name")
    list_filter = ("state", "education")
    search_fields = ("^name",)
    search_help_text = _("the beginning of a name")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER


@admin.register(Resume)
class ResumeAdmin(ResumeColumnsAdmin):
    ordering = ("id",)


@admin.register(ResumeBak)
class ResumeBakAdmin(ResumeColumnsAdmin):
    """Only the job writes these rows. The newest are on top, so that they are seen coming."""

    ordering = ("-id",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ResumeColumns | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ResumeColumns | None = None) -> bool:
        return False
