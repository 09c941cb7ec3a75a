"""The pages of instances: who lives, who leads, who owns which items."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from scheduling.admin.ledger import ReadOnlyAdmin, link_to
from scheduling.admin.overview import Overview, read_overview
from scheduling.admin.states import icon, lines, state_cell
from scheduling.admin.times import brief
from scheduling.domain import instance as registry
from scheduling.domain.instance import Holding, InstanceState
from scheduling.models import Instance
from scheduling.runtime.identity import SUPERVISOR

SHOWN_JOBS = 12
WORDS = {
    InstanceState.LIVE: pgettext_lazy("instance", "live"),
    InstanceState.DRAINING: pgettext_lazy("instance", "draining"),
    InstanceState.HOLDING: pgettext_lazy("instance", "holding"),
    InstanceState.DEAD: pgettext_lazy("instance", "dead"),
    InstanceState.LEFT: pgettext_lazy("instance", "left"),
}
MEANINGS = {
    InstanceState.DRAINING: _("starts nothing more, ends what runs"),
    InstanceState.HOLDING: _("no proof of life: starts nothing"),
}
HOLDINGS = {
    Holding.CLOCK_IS_OFF: _("its clock is off: starts nothing"),
    Holding.CLOCK_LEAPT: _("the clock has leapt forward: starts nothing"),
    Holding.LEDGER_WENT_BACK: _("the ledger was restored: starts nothing"),
    Holding.UNKNOWN: _("for a reason that is not known here: starts nothing"),
}


class InstanceChangeList(ChangeList):
    """All rows of one page share one reading of the registry."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        overview = read_overview()
        for row in self.result_list:
            row.overview = overview
        if overview.trouble:
            messages.warning(request, _trouble(overview))


@admin.register(Instance)
class InstanceAdmin(ReadOnlyAdmin):
    list_display = (
        "state_shown",
        "instance",
        "items",
        "capacity",
        "running",
        "clock",
        "host",
        "pid",
        "started",
        "ended",
    )
    fieldsets = (
        (None, {"fields": ("state_explained", "id", "host", "pid", "tzdata", "handlers")}),
        (_("What it has"), {"fields": ("items", "capacity", "running", "clock")}),
        (_("Its life"), {"fields": ("started", "joined", "ended", "declared_by")}),
    )
    readonly_fields = (
        "state_explained",
        "handlers",
        "items",
        "capacity",
        "running",
        "clock",
        "started",
        "joined",
        "ended",
        "declared_by",
    )

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        return (F("died_at").desc(nulls_first=True), "-started_at", "id")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[InstanceChangeList]:
        return InstanceChangeList

    @admin.display(description=_("state"))
    def state_shown(self, row: Instance) -> str:
        state = _overview(row).state_of(row)
        return lines(state_cell(state, WORDS[state]), _meaning(state, _registered(row))) if state else "–"

    @admin.display(description=_("state"))
    def state_explained(self, row: Instance) -> str:
        overview = _overview(row)
        return self.state_shown(row) if overview.state_of(row) else lines("–", overview.trouble)

    @admin.display(description=_("instance"))
    def instance(self, row: Instance) -> str:
        leads = _overview(row).cluster.leader == row.id
        leader = format_html("{} {}", icon("leader"), _("leader")) if leads else ""
        return lines(format_html('<span class="sc-mono">{}</span>', link_to(row, row.id)), leader)

    @admin.display(description=_("items owned"))
    def items(self, row: Instance) -> str:
        owned = _overview(row).owned_by(row.id)
        if not owned:
            return "–"
        by_job = format_html_join(" · ", '<span class="sc-nowrap">{}: {}</span>', list(owned.items())[:SHOWN_JOBS])
        more = " …" if len(owned) > SHOWN_JOBS else ""
        return lines(number_format(_overview(row).number_owned_by(row.id)), format_html("{}{}", by_job, more))

    @admin.display(description=_("capacity"))
    def capacity(self, row: Instance) -> str:
        registered = _registered(row)
        return number_format(registered.capacity) if registered else "–"

    @admin.display(description=_("clock ahead by"))
    def clock(self, row: Instance) -> str:
        registered = _registered(row)
        return _("%(seconds)s s") % {"seconds": number_format(registered.clock_offset, 1)} if registered else "–"

    @admin.display(description=_("running now"))
    def running(self, row: Instance) -> str:
        held = _overview(row).held.get(row.id, 0)
        return number_format(held) if held or row.died_at is None else "–"

    @admin.display(description=_("handlers it knows"))
    def handlers(self, row: Instance) -> str:
        registered = _registered(row)
        return ", ".join(sorted(registered.handlers)) if registered else "–"

    @admin.display(description=_("started"))
    def started(self, row: Instance) -> str:
        return _time(row.started_at)

    @admin.display(description=_("joined"))
    def joined(self, row: Instance) -> str:
        return _time(row.joined_at) if row.joined_at else "–"

    @admin.display(description=_("ended"))
    def ended(self, row: Instance) -> str:
        return _time(row.died_at) if row.died_at else "–"

    @admin.display(description=_("declared by"))
    def declared_by(self, row: Instance) -> str:
        known = {row.id: _("itself"), SUPERVISOR: _("its supervisor"), "": "–"}
        return str(known.get(row.died_by, row.died_by))


def _overview(row: Any) -> Overview:
    """Return the reading that the page's rows share; one row's own page reads it for itself."""
    if not hasattr(row, "overview"):
        row.overview = read_overview()
    overview: Overview = row.overview
    return overview


def _registered(row: Any) -> registry.Instance | None:
    return _overview(row).cluster.instances.get(row.id)


def _meaning(state: InstanceState, registered: registry.Instance | None) -> str | Promise:
    if registered and registered.holding and state is InstanceState.HOLDING:
        return HOLDINGS[registered.holding]
    return MEANINGS.get(state, "")


def _time(time: Any) -> str:
    return brief(time, timezone.get_current_timezone_name())


def _trouble(overview: Overview) -> str:
    said = _("The registry is degraded: who is live and who owns what is not known now. %(why)s")
    return str(said % {"why": overview.trouble})
