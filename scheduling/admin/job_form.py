"""The form in which a job is edited."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduling.admin.times import in_zone
from scheduling.database import configuration
from scheduling.domain.errors import ClockAhead, UnknownHandler
from scheduling.models import Cursor, Job
from scheduling.models.job import as_validation_error
from scheduling.models.strategy import STRATEGIES
from scheduling.runtime.handlers import HANDLERS

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Job]
else:
    ModelForm = forms.ModelForm

HELP = {
    "name": gettext_lazy("Its identity: it cannot be changed later."),
    "enabled": gettext_lazy("A disabled job starts nothing, also by hand; what runs ends."),
    "cron": gettext_lazy("Quartz: seconds minutes hours day-of-month month day-of-week [year], as in 0 30 2 * * ?"),
    "interval": gettext_lazy("Counted from the moment the job was enabled."),
    "time_zone": gettext_lazy("An IANA zone such as UTC or Asia/Shanghai: the clock that the trigger reads."),
    "dst": gettext_lazy(
        "A fixed time that the clock skips fires at the end of the gap, and one that comes twice fires the first time; "
        "Quartz leaves out the first kind."
    ),
    "sharding_total_count": gettext_lazy("1 to 10,000 items, spread over the live instances."),
    "item_parameters": gettext_lazy("As in 0=bachelor,1=master; or one pair a line."),
    "strategy": gettext_lazy(
        "Which instance gets which items. A function of your own is written as its dotted path, as in "
        "myapp.strategies.by_load."
    ),
    "misfire": gettext_lazy(
        "Of the fire times that did not start in time: skip runs none of them, fire once the latest, "
        "fire all as many as the next two fields allow."
    ),
    "fire_all_most": gettext_lazy("1 to 1,000: older ones are skipped."),
    "fire_all_age": gettext_lazy("86,400 is a day: older ones are skipped."),
    "isolation": gettext_lazy(
        "A thread starts at once. A process of its own takes about a second at first, can be killed, and may crash "
        "without harm to others."
    ),
    "timeout": gettext_lazy("Empty: as long as it takes. Otherwise the attempt has failed after so long."),
    "on_timeout": gettext_lazy(
        "A handler that is told, and does not stop, keeps its item until it returns. Only a process can be killed."
    ),
    "retries": gettext_lazy("How often an item is attempted again after it has failed, 0 to 100."),
    "retry_elsewhere": gettext_lazy("If another one knows the handler; off: where the item is."),
    "retry_delay": gettext_lazy("Before the first retry."),
    "retry_delay_most": gettext_lazy("Doubled delays grow no further; it is no shorter than the first."),
    "keep_days": gettext_lazy("Settled fires are forgotten after so many days; empty: as those of all jobs."),
    "keep_fires": gettext_lazy(
        "Of its settled fires the latest so many are kept, and all of the last hour; empty: as of all jobs."
    ),
    "failover": gettext_lazy("Another instance runs what a dead one left unfinished; off: it is marked lost."),
}

OWN = "own"
"""What the choice of a strategy sends when its path is in the text field."""


class NumberField(forms.IntegerField):
    """A whole number; anything else that was typed is left to the domain, which names it and the limits.

    Its widget is a text field: of one for numbers, browsers send nothing for what is none.
    """

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except ValidationError:
            return value


class ZoneInput(forms.TextInput):
    """A text field that offers the zones this machine knows."""

    template_name = "admin/scheduling/job/zone_input.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, value, attrs) | {"zones": zone_names()}


class StrategyInput(forms.Select):
    """A choice of the strategies that have a name, and a text field for the path of any other."""

    template_name = "admin/scheduling/job/strategy_input.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        path = "" if value in STRATEGIES else value or ""
        context = super().get_context(name, OWN if path or not value else value, attrs)
        return context | {"path": path, "path_name": path_name(name)}

    def optgroups(self, name: str, value: list[str], attrs: dict[str, Any] | None = None) -> list[Any]:
        self.choices = [*STRATEGIES.items(), (OWN, _("a function of your own"))]
        return super().optgroups(name, value, attrs)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        value = super().value_from_datadict(data, files, name)
        return data.get(path_name(name), "").strip() if value == OWN else value


class JobForm(ModelForm):
    """A job's fields, and the revision that the person has seen."""

    revision = forms.IntegerField(required=False, widget=forms.HiddenInput(attrs={"autocomplete": "off"}))

    class Meta:
        model = Job
        fields = "__all__"
        widgets = {
            "cron": forms.TextInput(
                attrs={"class": "vTextField sc-mono", "spellcheck": "false", "autocomplete": "off"}
            ),
            "time_zone": ZoneInput(attrs={"autocomplete": "off"}),
            "strategy": StrategyInput,
            "item_parameters": forms.Textarea(
                attrs={"rows": 4, "class": "vLargeTextField sc-mono", "spellcheck": "false"}
            ),
        }
        help_texts = HELP

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cursor = getattr(self.instance, "cursor", None)
        self.initial["revision"] = cursor.revision if cursor else None
        self._handlers = list(HANDLERS) + [name for name in [self.instance.handler] if name and name not in HANDLERS]
        if "handler" in self.fields:  # and not only looked at
            self._prepare_fields()

    def _prepare_fields(self) -> None:
        self.fields["handler"].widget = forms.Select(choices=[(name, _described(name)) for name in self._handlers])
        self.fields["time_zone"].show_hidden_initial = False  # Django's for a default that is a function
        zone = timezone.get_current_timezone_name()
        self.fields["at"].help_text = _("A whole second on the clock of %(zone)s.") % {"zone": zone}

    def clean_name(self) -> str:
        """Take a retired job of this name up again, with its items and its history."""
        name: str = self.cleaned_data["name"]
        retired = Job.objects.filter(name=name, retired_at__isnull=False).first()
        if retired is not None and self.instance.pk is None:
            self.instance.pk = retired.pk
            self.instance._state.adding = False
        return name

    def clean_handler(self) -> str:
        name: str = self.cleaned_data["handler"]
        if name not in self._handlers:
            raise as_validation_error(UnknownHandler(name))
        return name

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if "name" not in self.fields:
            self._check_revision()
        try:
            configuration.check_clock()
        except ClockAhead as error:
            raise as_validation_error(error) from error
        return cleaned

    def _check_revision(self) -> None:
        # Locked, so that nobody else can save between this question and the answer to it.
        cursor = Cursor.objects.select_for_update().filter(job=self.instance.pk).first()
        if cursor is None or cursor.revision == self.cleaned_data.get("revision"):
            return
        change = LogEntry.objects.filter(
            content_type=get_content_type_for_model(self.instance), object_id=str(self.instance.pk)
        ).first()
        if change is None:
            raise ValidationError(
                _("Not saved: this job was changed after you opened it. Open it again, and repeat yours.")
            )
        raise ValidationError(
            _("Not saved: %(who)s changed this job at %(time)s. Open it again to see how, and repeat yours."),
            params={"who": change.user.get_username(), "time": in_zone(change.action_time, self.instance.time_zone)},
        )


def path_name(name: str) -> str:
    """Name the text field beside the choice."""
    return f"{name}_path"


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """Return the IANA zones, without the files that only look like one."""
    return tuple(sorted(name for name in available_timezones() if "/" in name or name == "UTC"))


def _described(handler: str) -> str:
    if handler not in HANDLERS:
        return _("%(handler)s (no code declares it)") % {"handler": handler}
    description = HANDLERS[handler].description
    return f"{handler}: {description}" if description else handler
