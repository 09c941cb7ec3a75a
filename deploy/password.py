"""The admin user of `make run`: gives it a new random password, or makes it; run with the Python of `.venv`."""

import os
import secrets
import sys

import django
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError


def main(*, only_if_new: bool) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    User = get_user_model()
    known = User.objects.filter(username="admin").first()
    if known and only_if_new:
        return
    password = secrets.token_urlsafe(12)
    user = known or User(username="admin", is_staff=True, is_superuser=True)
    user.set_password(password)
    user.save()
    print(password if only_if_new else f"The new password of admin: {password}")


if __name__ == "__main__":
    try:
        main(only_if_new="--if-new" in sys.argv)
    except (ImproperlyConfigured, DatabaseError) as error:
        sys.exit(f"`make run` comes first: {error}")
