"""The environment variables of the project, their types and their defaults; `.env.example` explains each."""

import logging
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured

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


env = environ.Env(
    SECRET_KEY=(str, ""),
    DEBUG=(bool, False),
    ALLOWED_HOSTS=([str.strip], ["localhost", "127.0.0.1", "[::1]"]),
    CSRF_TRUSTED_ORIGINS=([str.strip], []),
    DATABASE_URL=(str, "sqlite:///var/db.sqlite3"),
    REGISTRY_URL=(str, "database://"),
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
