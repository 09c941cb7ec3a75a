"""The Django app: finds the handlers of every installed app, and writes the jobs they declare after `migrate`."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class SchedulingConfig(AppConfig):
    """Distributed, sharded scheduled jobs."""

    name = "scheduling"
    verbose_name = _("Scheduling")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from scheduling import checks  # noqa: F401  needs the app registry
        from scheduling.database.declarations import after_migrate

        autodiscover_modules("jobs")
        post_migrate.connect(after_migrate, sender=self)
