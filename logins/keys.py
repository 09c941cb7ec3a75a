"""Under which SECRET_KEY people log in: all replicas must know it."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.utils import timezone
from django.utils.crypto import salted_hmac

from logins import records
from logins.models import Key

LATELY = timedelta(days=1)


@receiver(user_logged_in)
def note_key(**_: Any) -> None:
    """Note that somebody has logged in under this process's key."""
    keys = Key.objects.using(records.database())
    keys.update_or_create(digest=digest_of_key(settings.SECRET_KEY), defaults={"used_at": timezone.now()})


def foreign_keys() -> int:
    """Return how many keys that this process does not know have made logins lately."""
    known = [digest_of_key(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    lately = Key.objects.using(records.database()).filter(used_at__gt=timezone.now() - LATELY)
    return lately.exclude(digest__in=known).count()


def digest_of_key(key: str) -> str:
    """Return what stands for a key and does not tell it."""
    return salted_hmac("logins.keys", "digest", secret=key, algorithm="sha256").hexdigest()
