"""The table of handlers: what `@job` declares in the `jobs.py` of each installed app."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from scheduling.domain.errors import InvalidJob, UnknownHandler
from scheduling.domain.errors import gettext_noop as _
from scheduling.runtime.context import Context

Function = TypeVar("Function", bound=Callable[[Context], Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A callable that jobs run, and the job that its code declares: the values as written, not yet checked."""

    name: str
    function: Callable[[Context], Any]
    cron: str | None
    interval: int | None
    at: datetime | None
    time_zone: str | None
    dst: str
    sharding_total_count: int
    item_parameters: str
    strategy: str
    misfire: str
    failover: bool
    enabled: bool
    description: str


HANDLERS: dict[str, Handler] = {}


def job(
    name: str,
    *,
    cron: str | None = None,
    interval: int | None = None,
    at: datetime | None = None,
    time_zone: str | None = None,
    dst: str = "once",
    sharding_total_count: int = 1,
    item_parameters: str = "",
    strategy: str = "sticky",
    misfire: str = "fire_once",
    failover: bool = True,
    enabled: bool = True,
    description: str = "",
) -> Callable[[Function], Function]:
    """Declare a handler, and the job of the same name that runs it; the function itself stays as it is.

    `cron` is a Quartz expression in `time_zone` (default: the project's TIME_ZONE), `interval` is in seconds, `at`
    one aware datetime; none of them: the job runs when somebody asks. `strategy` is one of those that have a name, or
    the dotted path of a function. `migrate` and `jobs sync` write the job's row.
    """
    declared = {key: value for key, value in locals().items() if key != "name"}

    def declare(function: Function) -> Function:
        other = HANDLERS.get(name)
        if other is not None and not _is_same(other.function, function):
            raise InvalidJob(
                _("two functions declare the handler %(name)s: %(first)s and %(second)s; rename one"),
                name=repr(name),
                first=dotted(other.function),
                second=dotted(function),
            )
        HANDLERS[name] = Handler(name=name, function=function, **declared)
        return function

    return declare


def handler_of(function: Callable[..., Any]) -> Handler:
    """Return the handler that declares `function`; raise `UnknownHandler`."""
    for handler in HANDLERS.values():
        if handler.function is function:
            return handler
    raise UnknownHandler(dotted(function))


def _is_same(first: Callable[..., Any], second: Callable[..., Any]) -> bool:
    # A reloaded module declares its functions again.
    return dotted(first) == dotted(second)


def dotted(function: Callable[..., Any]) -> str:
    """Name a function so that it can be found in the code."""
    return f"{function.__module__}.{getattr(function, '__qualname__', repr(function))}"
