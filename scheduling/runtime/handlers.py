"""The table of handlers: what `@job` declares in the `jobs.py` of each installed app."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from scheduling.domain.errors import InvalidJob, UnknownHandler
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.job import FIRE_ALL_AGE, FIRE_ALL_MOST
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
    fire_all_most: int
    fire_all_age: int
    failover: bool
    retries: int
    retry_delay: int
    retry_backoff: str
    retry_delay_most: int
    retry_elsewhere: bool
    timeout: int | None
    on_timeout: str
    isolation: str
    keep_days: int | None
    keep_fires: int | None
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
    fire_all_most: int = FIRE_ALL_MOST,
    fire_all_age: int = FIRE_ALL_AGE,
    failover: bool = True,
    retries: int = 0,
    retry_delay: int = 10,
    retry_backoff: str = "fixed",
    retry_delay_most: int = 3_600,
    retry_elsewhere: bool = True,
    timeout: int | None = None,
    on_timeout: str = "cancel",
    isolation: str = "thread",
    keep_days: int | None = None,
    keep_fires: int | None = None,
    enabled: bool = True,
    description: str = "",
) -> Callable[[Function], Function]:
    """Declare a handler, and the job of the same name that runs it; the function itself stays as it is.

    `cron` is a Quartz expression in `time_zone` (default: the project's TIME_ZONE), `interval` is in seconds, `at`
    one aware datetime; none of them: the job runs when somebody asks. `strategy` is one of those that have a name, or
    the dotted path of a function. `misfire` is skip, fire_once or fire_all (the latest `fire_all_most` fire times of
    the last `fire_all_age` seconds). A failed attempt is followed by up to `retries` others, `retry_delay` seconds
    later, which is the same each time (`retry_backoff` fixed) or doubled each time up to `retry_delay_most`
    (exponential). After `timeout` seconds the attempt has failed, and `on_timeout` tells the handler to stop (cancel)
    or kills its process, with what that has started (kill). `isolation` is thread or process. What has settled is
    forgotten after `keep_days`, and beyond the latest `keep_fires`: None is as of all jobs. `migrate` and `jobs sync`
    write the job's row.
    """
    declared = {key: value for key, value in locals().items() if key != "name"}
    return lambda function: _declare(name, function, declared)


def _declare(name: str, function: Function, declared: dict[str, Any]) -> Function:
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
