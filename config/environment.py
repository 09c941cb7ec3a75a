"""The environment variables of the project, their types and their defaults; `.env.example` explains each."""

import logging
import re
import socket
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured
from redis import ConnectionPool

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = {"en": "English", "zh-hans": "简体中文"}


def language(code: str) -> str:
    if code not in LANGUAGES:
        raise ImproperlyConfigured(f'LANGUAGE_CODE: "{code}" is none of {", ".join(LANGUAGES)}')
    return code


def log_level(name: str) -> str:
    if name not in logging.getLevelNamesMapping():
        raise ImproperlyConfigured(f'LOG_LEVEL: "{name}" is none of DEBUG, INFO, WARNING, ERROR, CRITICAL')
    return name


def time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ImproperlyConfigured(f'TIME_ZONE: "{name}" is no IANA zone such as UTC or Asia/Shanghai') from error
    return name


def redis_url(url: str) -> str:
    """Return the URL if a client can be made of it; it may hold a password, so a message repeats none of it."""
    try:
        pool = ConnectionPool.from_url(url or "redis://")
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured(
            "REDIS_URL: this is none; write redis://:password@host:6379/0, or rediss:// for TLS"
        ) from error
    return url


def replica(name: str) -> str:
    """Return the name under which this web replica answers: the host's where none is given."""
    if not re.fullmatch(r"[\w.-]{0,64}", name, re.ASCII):
        raise ImproperlyConfigured(f'REPLICA: "{name}" is not made of up to 64 letters, digits, ".", "-" and "_"')
    return name or socket.gethostname()


env = environ.Env(
    SECRET_KEY=(str, ""),
    SECRET_KEY_FALLBACKS=([str.strip], []),
    DEBUG=(bool, False),
    ALLOWED_HOSTS=([str.strip], ["localhost", "127.0.0.1", "[::1]"]),
    CSRF_TRUSTED_ORIGINS=([str.strip], []),
    HTTPS=(bool, False),
    DATABASE_URL=(str, "sqlite:///var/db.sqlite3"),
    REGISTRY_URL=(str, "database://"),
    REDIS_URL=(redis_url, ""),
    REPLICA=(replica, ""),
    TIME_ZONE=(time_zone, "UTC"),
    LANGUAGE_CODE=(language, "en"),
    LOG_LEVEL=(log_level, "INFO"),
)


def secret_key(variable: str, file: Path) -> str:
    """Return the variable's value, or where it is empty the key in the file that `make run` writes."""
    try:
        key = variable or file.read_text().strip()
    except FileNotFoundError:
        key = ""
    except OSError as error:
        raise ImproperlyConfigured(f"SECRET_KEY is not set and {file} cannot be read: {error.strerror}") from error
    if not key:
        raise ImproperlyConfigured(f"SECRET_KEY is not set: set it, or let `make run` write a key to {file}")
    return key
