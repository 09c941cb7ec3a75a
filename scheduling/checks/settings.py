"""What is wrong with the settings: E001-E009, W001-W009."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection
from django.utils.translation import gettext as _

from scheduling.domain.errors import InvalidAddress
from scheduling.domain.retention import KEEP_DAYS_MOST, KEEP_FIRES_MOST
from scheduling.models.job import as_validation_error
from scheduling.zookeeper.address import SCHEME, parse_address

DATABASE_URL = "database://"
KNOWN_SETTINGS = ("REGISTRY_URL",)
KEEP_SETTINGS = {"SCHEDULING_KEEP_DAYS": KEEP_DAYS_MOST, "SCHEDULING_KEEP_FIRES": KEEP_FIRES_MOST}
"""How long fires are kept of jobs that say nothing about it, with the largest value that can be meant."""

SQLITE_OPTIONS: dict[str, Any] = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
}
WAL = re.compile(r"journal_mode\s*[=(]\s*['\"]?wal\b", re.IGNORECASE)
FULL = re.compile(r"synchronous\s*[=(]\s*['\"]?(full|extra|2|3)\b", re.IGNORECASE)


@register(Tags.compatibility)
def check_settings(**_options: Any) -> list[CheckMessage]:
    """Check `SCHEDULING`, `SCHEDULING_KEEP_…` and `USE_TZ`."""
    scheduling = getattr(settings, "SCHEDULING", {})
    found = [*_time_zone_problems(), *_keep_problems()]
    if not isinstance(scheduling, Mapping):
        return [*found, _not_a_dict(scheduling)]
    return [*found, *_unknown_settings(scheduling), *_registry_problems(scheduling)]


@register(Tags.compatibility)
def check_database_options(**_options: Any) -> list[CheckMessage]:
    """Check how the default database is told to behave."""
    return database_option_problems(connection.vendor, connection.settings_dict.get("OPTIONS") or {})


def database_option_problems(vendor: str, options: Mapping[str, Any]) -> list[CheckMessage]:
    """Return what must not be so in the OPTIONS of a database of this vendor."""
    if vendor == "sqlite" and not _are_sqlite_options_safe(options):
        return [_sqlite_options(options)]
    level = options.get("isolation_level", "read committed")
    if vendor == "mysql" and (not isinstance(level, str) or level.lower() != "read committed"):
        return [
            Error(
                _("DATABASES['default'] has the isolation level %(level)r.") % {"level": level},
                hint=_(
                    "Write 'isolation_level': 'read committed' into its OPTIONS, or leave it out: it is the default."
                ),
                id="scheduling.E005",
            )
        ]
    return []


def _time_zone_problems() -> Iterator[CheckMessage]:
    if not settings.USE_TZ:
        yield Error(
            _("USE_TZ is False: fire times would be ambiguous when clocks are set back."),
            hint=_("Write USE_TZ = True into the settings."),
            id="scheduling.E004",
        )


def _keep_problems() -> Iterator[CheckMessage]:
    for name, most in KEEP_SETTINGS.items():
        value = getattr(settings, name, 1)
        if type(value) is not int or not 1 <= value <= most:
            yield Error(
                _("%(name)s is %(value)r.") % {"name": name, "value": value},
                hint=_("Write a whole number from 1 to %(most)s, or leave it out.") % {"most": most},
                id="scheduling.E006",
            )


def _not_a_dict(scheduling: object) -> CheckMessage:
    return Error(
        _("SCHEDULING is %(value)r, no dict.") % {"value": scheduling},
        hint=_("Write SCHEDULING = {'REGISTRY_URL': 'database://'} into the settings, or leave it out."),
        id="scheduling.E001",
    )


def _unknown_settings(scheduling: Mapping[Any, Any]) -> Iterator[CheckMessage]:
    for key in scheduling:
        if key not in KNOWN_SETTINGS:
            near = get_close_matches(str(key).upper(), KNOWN_SETTINGS) or KNOWN_SETTINGS
            yield Error(
                _("SCHEDULING has the unknown key %(key)r.") % {"key": key},
                hint=_("Remove it, or write %(known)s.") % {"known": ", ".join(near)},
                id="scheduling.E002",
            )


def registry_url() -> str:
    """Return where instances see each other, as `check_settings` has passed it."""
    return str(getattr(settings, "SCHEDULING", {}).get("REGISTRY_URL", DATABASE_URL))


def _registry_problems(scheduling: Mapping[Any, Any]) -> Iterator[CheckMessage]:
    url = scheduling.get("REGISTRY_URL", DATABASE_URL)
    if url == DATABASE_URL:
        return
    if isinstance(url, str) and url.startswith(f"{SCHEME}://"):
        try:
            parse_address(url)
        except InvalidAddress as error:
            yield _wrong_registry(_shown(url), " ".join(as_validation_error(error).messages))
        if connection.vendor == "sqlite":
            yield Warning(
                _("SCHEDULING['REGISTRY_URL'] is a ZooKeeper, but the database is SQLite, which is for one machine."),
                hint=_("Use a database server where schedulers run on several machines."),
                id="scheduling.W002",
            )
        return
    yield _wrong_registry(_shown(url), _("it is no registry known here"))


def _wrong_registry(url: str, problem: str) -> CheckMessage:
    return Error(
        _("SCHEDULING['REGISTRY_URL'] is %(url)s: %(problem)s.") % {"url": url, "problem": problem},
        hint=_("Write database://, or zookeeper://host1:2181,host2:2181/namespace."),
        id="scheduling.E003",
    )


def _shown(url: object) -> str:
    # No more than the scheme is shown: a password may follow.
    return f"{url.partition('://')[0]}://…" if isinstance(url, str) and "://" in url else repr(url)


def _are_sqlite_options_safe(options: Mapping[str, Any]) -> bool:
    timeout, command = options.get("timeout", 0), str(options.get("init_command"))
    return (
        str(options.get("transaction_mode")).upper() == "IMMEDIATE"
        and isinstance(timeout, int | float)
        and timeout >= SQLITE_OPTIONS["timeout"]
        and bool(WAL.search(command) and FULL.search(command))
    )


def _sqlite_options(options: Mapping[str, Any]) -> CheckMessage:
    return Warning(
        _("DATABASES['default'] has the OPTIONS %(options)r: several processes would often find SQLite locked.")
        % {"options": {key: options[key] for key in SQLITE_OPTIONS if key in options}},
        hint=_("Write 'OPTIONS': %(options)r.") % {"options": SQLITE_OPTIONS},
        id="scheduling.W001",
    )
