"""What can be done to several jobs at once, or from the list."""

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.core.exceptions import ValidationError
from django.db import OperationalError, transaction
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduling.admin.declared import differences, is_declared, label_of, take_the_codes
from scheduling.admin.ledger import link_to
from scheduling.admin.stopping import consequences
from scheduling.database import configuration
from scheduling.database.declarations import note_changed
from scheduling.domain.errors import BrokenLedger, ClockAhead, InvalidJob, JobDisabled
from scheduling.models import Fire, Job
from scheduling.models.job import as_validation_error

if TYPE_CHECKING:
    from django.db.models import QuerySet

LARGEST_KEY = 2**63 - 1

Act = Callable[[Job], str]
"""Does something to one job within a transaction, and says what."""


def new_key() -> int:
    """Return a key for one request."""
    return secrets.randbelow(LARGEST_KEY) + 1


class JobActionForm(ActionForm):
    """The choice of an action, with a key by which a double click is known as one request."""

    key = forms.IntegerField(
        required=False, label="", initial=new_key, widget=forms.HiddenInput(attrs={"autocomplete": "off"})
    )


class JobActions:
    """Actions of the list of jobs. Each speaks of every job it touched, and of every one it did not."""

    @admin.action(permissions=["change"], description=gettext_lazy("Enable"))
    def enable(self, request: HttpRequest, jobs: "QuerySet[Job]") -> None:
        self._for_each(request, jobs, lambda row: self._switch(request, row, enabled=True))

    @admin.action(permissions=["change"], description=gettext_lazy("Disable"))
    def disable(self, request: HttpRequest, jobs: "QuerySet[Job]") -> None:
        self._for_each(request, jobs, lambda row: self._switch(request, row, enabled=False))

    @admin.action(permissions=["run_job"], description=gettext_lazy("Run now"))
    def run_now(self, request: HttpRequest, jobs: "QuerySet[Job]") -> None:
        key = request.POST.get("key", "")
        if not (key.isascii() and key.isdigit() and len(key) < 20 and 1 <= int(key) <= LARGEST_KEY):
            messages.error(request, _("Nothing was run: the page was not complete. Load the list again."))
            return
        self._for_each(request, jobs, lambda row: self._run(request, row, int(key)))

    @admin.action(permissions=["change"], description=gettext_lazy("Take the code’s values"))
    def take_the_codes(self, request: HttpRequest, jobs: "QuerySet[Job]") -> None:
        self._for_each(request, jobs, lambda row: self._take(request, row))

    def has_run_job_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduling.run_job")

    def _for_each(self, request: HttpRequest, jobs: "QuerySet[Job]", act: Act) -> None:
        for id in jobs.order_by("name").values_list("id", flat=True):
            try:
                with transaction.atomic():
                    said = act(configuration.locked(id))
                messages.success(request, said)
            except ValidationError as error:
                messages.error(request, " ".join(error.messages))
            except ClockAhead as error:
                messages.error(request, " ".join(as_validation_error(error).messages))
            except OperationalError as error:
                messages.error(request, unanswered(error))

    def _switch(self, request: HttpRequest, row: Job, *, enabled: bool) -> str:
        if row.enabled == enabled:
            return _already(row)
        said = _("Job %(job)s is enabled.") if enabled else _("Job %(job)s is disabled.") + " " + consequences([row.pk])
        row.enabled = enabled
        if enabled:
            _check(row)
        note_changed(row, ["enabled"])
        configuration.save(row)
        self._log(request, row, ["enabled"])
        return said % {"job": row.name}

    def _run(self, request: HttpRequest, row: Job, key: int) -> str:
        try:
            fire = configuration.request(row, key=key, asked_by=request.user.get_username())
        except JobDisabled as error:
            raise ValidationError(
                _("Job %(job)s is disabled: enable it first, then run it.") % {"job": row.name}
            ) from error
        except (InvalidJob, BrokenLedger) as error:
            raise _named(row, as_validation_error(error)) from error
        said = _("Job {job} is asked for: {fire}. Each item starts as soon as its instance has a free worker.")
        return format_html(said, job=row.name, fire=link_to(Fire(pk=fire), _("see the fire")))

    def _take(self, request: HttpRequest, row: Job) -> str:
        if not is_declared(row):
            raise _named(row, ValidationError(_("no code declares it, so there are no values to take")))
        fields = [difference.field for difference in differences(row)]
        synced = take_the_codes(row)
        if synced.failed:
            raise _named(row, ValidationError(synced.outcome))
        self._log(request, row, fields)
        return _told(row, synced.outcome)

    def _log(self, request: HttpRequest, row: Job, fields: list[str]) -> None:
        labels = [label_of(field) for field in fields]
        model_admin: Any = self
        model_admin.log_change(request, row, [{"changed": {"fields": labels}}] if labels else [])


def unanswered(error: OperationalError) -> str:
    """Say that the database gave no answer, and what to do."""
    return _("The database gave no answer (%(error)s). Look at what is there now, and do it again.") % {"error": error}


def _already(row: Job) -> str:
    said = _("Job %(job)s was enabled already.") if row.enabled else _("Job %(job)s was disabled already.")
    return said % {"job": row.name}


def _check(row: Job) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        raise _named(row, error) from error


def _told(row: Job, what: str) -> str:
    # The admin writes a message's first letter large, so a job's name must not be the first word.
    return _("Job %(job)s: %(what)s") % {"job": row.name, "what": what}


def _named(row: Job, error: ValidationError) -> ValidationError:
    return ValidationError(_told(row, " ".join(error.messages)))
