"""The Django app of the sample."""

from django.apps import AppConfig
from django.utils.translation import pgettext_lazy


class ResumesConfig(AppConfig):
    name = "resumes"
    verbose_name = pgettext_lazy("document", "resumes")
    default_auto_field = "django.db.models.BigAutoField"
