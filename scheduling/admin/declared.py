"""Which fields of a job a person has changed, and how the job differs from what the code declares."""

from dataclasses import dataclass
from typing import Any

from django.utils.text import capfirst

from scheduling.database import declarations
from scheduling.models import Job
from scheduling.runtime.handlers import HANDLERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A setting that is not what the code declares."""

    field: str
    label: str
    in_code: object
    here: object


def is_declared(row: Job) -> bool:
    """Does the code declare this job, so that `migrate` would write its fields?"""
    return row.name in HANDLERS


def differences(row: Job) -> list[Difference]:
    """Return what differs from the code; nothing for a job that the code does not declare."""
    if not is_declared(row):
        return []
    return [
        Difference(field=field, label=label_of(field), in_code=_shown(row, field, value), here=_shown(row, field))
        for field, value in _declared(row).items()
        if getattr(row, field) != value
    ]


def take_the_codes(row: Job) -> declarations.Synced:
    """Forget what people have changed, and write what the code declares, within the caller's transaction."""
    Job.objects.filter(pk=row.pk).update(changed_fields=[])
    (synced,) = declarations.sync([HANDLERS[row.name]])
    return synced


def _declared(row: Job) -> dict[str, Any]:
    return declarations.declared_fields(HANDLERS[row.name])


def label_of(field: str) -> str:
    """Return the field's label."""
    return str(capfirst(_field(field).verbose_name))


def _shown(row: Job, field: str, *declared: object) -> object:
    """Return the row's value, or the declared one, as the form's choices call it."""
    value = declared[0] if declared else getattr(row, field)
    choices = dict(_field(field).flatchoices)
    return choices.get(value, value)


def _field(name: str) -> Any:
    return Job._meta.get_field(name)
