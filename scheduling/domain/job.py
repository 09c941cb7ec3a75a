"""What a job is: its configuration as one immutable value, and the checks that need no database."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from scheduling.domain.errors import InvalidJob
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.numbers import check_number
from scheduling.domain.retry import MOST_SECONDS, Retry
from scheduling.domain.trigger import Trigger

MAX_SHARDING_TOTAL_COUNT = 10_000
MAX_ITEM_PARAMETERS = 60_000
"""Characters of all of a job: with their items they fit into what is published of it, 256 kB."""

FIRE_ALL_MOST = 100
FIRE_ALL_AGE = 86_400
FIRE_ALL_LIMIT = 1_000
FIRE_ALL_OLDEST = 366 * 86_400

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


class Misfire(StrEnum):
    """What becomes of fire times that did not start in time."""

    SKIP = "skip"
    FIRE_ONCE = "fire_once"
    FIRE_ALL = "fire_all"


class Isolation(StrEnum):
    """What a handler runs in."""

    THREAD = "thread"
    PROCESS = "process"


class OnTimeout(StrEnum):
    """What becomes of an attempt whose time is over: its handler is told, or its process is killed."""

    CANCEL = "cancel"
    KILL = "kill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as it was configured at `revision`; `timeout` and `fire_all_age` are in seconds."""

    name: str
    handler: str
    trigger: Trigger
    sharding_total_count: int = 1
    item_parameters: Mapping[int, str] = field(default_factory=dict)
    strategy: str = "sticky"
    misfire: Misfire = Misfire.FIRE_ONCE
    fire_all_most: int = FIRE_ALL_MOST
    fire_all_age: int = FIRE_ALL_AGE
    failover: bool = True
    retry: Retry = field(default_factory=Retry)
    timeout: int | None = None
    on_timeout: OnTimeout = OnTimeout.CANCEL
    isolation: Isolation = Isolation.THREAD
    enabled: bool = True
    revision: int = 0


def check_name(name: str) -> None:
    """Raise `InvalidJob` unless `name` is one name in every database, in a path and on a command line.

    Some databases take Pay and pay for the same.
    """
    if not NAME.fullmatch(name):
        raise InvalidJob(
            _(
                "%(name)s cannot be a name: use up to 100 of a-z, 0-9, “-”, “_” and “.”, "
                "beginning with a letter or a digit, as in archive-job"
            ),
            name=repr(name[:120]),
        )


def check_sharding_total_count(count: int) -> None:
    """Raise `InvalidJob` unless a job can be cut into `count` sharding items."""
    check_number(count, 1, MAX_SHARDING_TOTAL_COUNT)


def check_fire_all_most(count: int) -> None:
    """Raise `InvalidJob` unless a job can catch up with that many fire times."""
    check_number(count, 1, FIRE_ALL_LIMIT)


def check_fire_all_age(seconds: int) -> None:
    """Raise `InvalidJob` unless a job can catch up with fire times so old."""
    check_number(seconds, 1, FIRE_ALL_OLDEST)


def check_timeout(seconds: int | None) -> None:
    """Raise `InvalidJob` unless an attempt can end after so long; None is never."""
    if seconds is not None:
        check_number(seconds, 1, MOST_SECONDS)


def check_on_timeout(on_timeout: str, isolation: str) -> None:
    """Raise `InvalidJob` unless an attempt can be ended so."""
    if on_timeout == OnTimeout.KILL and isolation == Isolation.THREAD:
        raise InvalidJob(_("a thread cannot be killed: choose isolation in a process, or to cancel at the timeout"))


def parse_item_parameters(text: str, total: int) -> dict[int, str]:
    """Read `0=bachelor,1=master`, or one pair a line, into {item: parameter}.

    Raise `InvalidJob` that names the pair. With several lines a parameter may contain commas.
    """
    if len(text) > MAX_ITEM_PARAMETERS:
        raise InvalidJob(
            _("the item parameters have %(size)s characters, more than %(most)s: write shorter ones"),
            size=len(text),
            most=MAX_ITEM_PARAMETERS,
        )
    parameters: dict[int, str] = {}
    for pair in _pairs(text):
        item, parameter = _parse_pair(pair, total)
        if item in parameters:
            raise InvalidJob(_("item %(item)s has two parameters: keep one of them"), item=item)
        parameters[item] = parameter
    return parameters


def format_item_parameters(parameters: Mapping[int, str]) -> str:
    """Write {item: parameter} as `parse_item_parameters` reads it."""
    separator = "\n" if any("," in parameter for parameter in parameters.values()) else ","
    text = separator.join(f"{item}={parameter}" for item, parameter in sorted(parameters.items()))
    return text + "\n" if separator == "\n" else text


def _pairs(text: str) -> list[str]:
    parts = text.splitlines() if "\n" in text else text.split(",")
    return [part.strip() for part in parts if part.strip()]


def _parse_pair(pair: str, total: int) -> tuple[int, str]:
    number, equals, parameter = pair.partition("=")
    number = number.strip()
    if not equals or not (number.isascii() and number.isdigit()):
        raise InvalidJob(
            _("item parameter %(pair)s is not written item=parameter, as in 0=bachelor,1=master"), pair=repr(pair[:80])
        )
    if len(number) > 9 or int(number) >= total:
        raise InvalidJob(
            _("item parameter %(pair)s is for an item outside 0-%(last)s: raise the sharding total count or remove it"),
            pair=repr(pair[:80]),
            last=total - 1,
        )
    return int(number), parameter.strip()
