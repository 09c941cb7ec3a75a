"""Makes the users of the benchmark; a process of its own, as it needs settings.

python -m benchmarks.sessions.users COUNT
"""

import sys

import django

django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402  needs the settings
from django.contrib.auth.models import User  # noqa: E402

from benchmarks.sessions.browser import PASSWORD, user_name  # noqa: E402


def main(count: int) -> None:
    password = make_password(PASSWORD)
    User.objects.bulk_create([User(username=user_name(number), password=password) for number in range(count)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
