"""The tables: sessions, which are the truth, and the outbox of what Redis has yet to forget, and the keys in use."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Session(models.Model):
    """One session; its id itself is in the browser's cookie only."""

    digest = models.CharField(_("digest"), max_length=64, primary_key=True)
    user_id = models.CharField(_("user"), max_length=255, blank=True, db_index=True)
    text = models.TextField(_("text"))
    version = models.PositiveBigIntegerField(_("version"), default=1)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    changed_at = models.DateTimeField(_("changed"))
    expires_at = models.DateTimeField(_("expires"), db_index=True)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")

    def __str__(self) -> str:
        return self.digest[:12]


class OutboxEntry(models.Model):
    """A session whose copy is out of date since then; every process has Redis drop it."""

    digest = models.CharField(_("digest"), max_length=64)
    written_at = models.DateTimeField(_("written"), db_index=True)

    class Meta:
        verbose_name = _("outbox entry")
        verbose_name_plural = _("outbox")

    def __str__(self) -> str:
        return self.digest[:12]


class Key(models.Model):
    """A SECRET_KEY under which somebody has logged in, as a digest, and when that was last so."""

    digest = models.CharField(_("digest"), max_length=64, primary_key=True)
    used_at = models.DateTimeField(_("used"))

    class Meta:
        verbose_name = _("key")
        verbose_name_plural = _("keys")

    def __str__(self) -> str:
        return self.digest[:12]
