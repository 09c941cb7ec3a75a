"""The Django app: its tables, commands and checks."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LoginsConfig(AppConfig):
    """Sessions in the database, with copies in Redis."""

    name = "logins"
    verbose_name = _("Logins")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from logins import checks, keys  # noqa: F401  need the app registry
