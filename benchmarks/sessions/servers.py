"""What the session engines run on: one database with tables and users, and the variables of its replicas."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

from benchmarks.site import ROOT
from deploy.servers.mariadb import MariaDB
from deploy.servers.tier import Tier

MAKING = "benchmarks.sessions.settings.ours"
"""The settings by which tables and users are made; any would do."""

NEVER_RENEWED = "--max-requests 0 --max-requests-jitter 0"
"""A worker that is renewed after some 2000 requests would be a fault of its own."""


@contextlib.contextmanager
def database(users: int) -> Iterator[MariaDB]:
    """Lend a database with the site's tables and some users."""
    with MariaDB() as mariadb:
        env = variables(mariadb.url)
        run(env, "manage.py", "migrate", "--verbosity", "0")
        run(env, "-m", "benchmarks.sessions.users", str(users))
        yield mariadb


def variables(database_url: str, redis_url: str = "") -> dict[str, str]:
    """Return all that the settings read, whatever `.env` says."""
    return {
        "SECRET_KEY": "only-for-benchmarks-" + "x" * 40,
        "SECRET_KEY_FALLBACKS": "",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REGISTRY_URL": "database://",
        "ALLOWED_HOSTS": "127.0.0.1",
        "CSRF_TRUSTED_ORIGINS": "",
        "HTTPS": "off",
        "DEBUG": "off",
        "LOG_LEVEL": "WARNING",
        "GUNICORN_CMD_ARGS": NEVER_RENEWED,
    }


def tier(env: Mapping[str, str], settings: str, upstream: str = "upstream.conf") -> Tier:
    """Return three replicas behind nginx, where all users may log in at once."""
    return Tier(env, settings=settings, upstream=upstream, login_rate="1000r/s", login_burst=1000)


def run(env: Mapping[str, str], *arguments: str) -> str:
    """Run a Python program of the project to its end, and return what it prints."""
    command = [sys.executable, *arguments]
    all_variables = {**os.environ, "DJANGO_SETTINGS_MODULE": MAKING, **env}
    done = subprocess.run(command, cwd=ROOT, env=all_variables, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
