"""The project's own settings, with logins that cost no time and the pages of the benchmark."""

from config.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # logging in is not what is measured
ROOT_URLCONF = "benchmarks.sessions.urls"
