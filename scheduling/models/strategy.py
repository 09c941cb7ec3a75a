"""The field of a job's sharding strategy: one of those that have a name, or the dotted path of a function."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy as _

STRATEGIES = {
    "sticky": _("sticky: moves as few items as it can"),
    "weighted": _("weighted: by capacity, moves as few items as it can"),
    "average_allocation": _("average allocation: blocks of neighbours"),
    "odevity": _("odevity: average allocation, from the other end if the hash of the name is even"),
    "round_robin": _("round robin: average allocation, from another instance for each name"),
}

if TYPE_CHECKING:
    CharField = models.CharField[str, str]
else:
    CharField = models.CharField


class OpenChoiceField(forms.TypedChoiceField):
    """Offers choices, and takes other values, too."""

    def valid_value(self, value: object) -> bool:
        return True


class StrategyField(CharField):
    """A text with choices, and others than these may stand in it: what can be meant is the domain's to say."""

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        if value in self.empty_values:
            super().validate(value, model_instance)

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"choices_form_class": OpenChoiceField, **kwargs})
