"""Under which SECRET_KEY people log in: all replicas must know it."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.db import Error as DatabaseFailure
from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone
from django.utils.crypto import salted_hmac

from logins import records
from logins.models import Key

logger = logging.getLogger("logins.keys")

LATELY = timedelta(days=1)
OFTEN = timedelta(minutes=1)


@receiver(user_logged_in)
def note_key(**_: Any) -> None:
    """Note that somebody has logged in under this process's key; a login does not fail over it."""
    try:
        _note(digest_of_key(settings.SECRET_KEY), timezone.now())
    except DatabaseFailure as error:
        logger.warning("It could not be noted under which SECRET_KEY somebody has logged in: %s", error)


def _note(digest: str, now: datetime) -> None:
    """Write the row once a minute: many log in at a time, and none is to wait for another's lock."""
    keys = Key.objects.using(records.database())
    if keys.filter(digest=digest, used_at__gt=now - OFTEN).exists():
        return
    with transaction.atomic(using=records.database()):
        if not keys.filter(digest=digest).update(used_at=now):
            keys.bulk_create([Key(digest=digest, used_at=now)], ignore_conflicts=True)


def foreign_keys() -> int:
    """Return how many keys that this process does not know have made logins lately."""
    known = [digest_of_key(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    lately = Key.objects.using(records.database()).filter(used_at__gt=timezone.now() - LATELY)
    return lately.exclude(digest__in=known).count()


def digest_of_key(key: str) -> str:
    """Return what stands for a key and does not tell it."""
    return salted_hmac("logins.keys", "digest", secret=key, algorithm="sha256").hexdigest()
