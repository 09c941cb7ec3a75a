"""Which sharding strategies there are, and asking one so that nothing it does can hurt."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module

from scheduling.domain.errors import InvalidJob
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.instance import Instance
from scheduling.domain.job import Job
from scheduling.domain.sharding import Strategy, average_allocation, odevity, round_robin, sticky, weighted

STRATEGIES: dict[str, Strategy] = {
    "sticky": sticky,
    "weighted": weighted,
    "average_allocation": average_allocation,
    "odevity": odevity,
    "round_robin": round_robin,
}

_FAILED = _("sharding strategy %(name)s failed: %(error)s")

SHOWN = 200
"""Characters that a message shows of what somebody else has written."""


def owners_by_strategy(
    job: Job, items: Sequence[int], instances: Mapping[str, Instance], previous: Mapping[int, str]
) -> dict[int, str]:
    """Return what the job's strategy answers; raise `InvalidJob` if it can't be asked, fails or answers nonsense."""
    strategy = strategy_named(job.strategy)
    if not instances:
        return {}
    try:
        lent = replace(job, item_parameters=dict(job.item_parameters))
        answer = strategy(lent, tuple(items), dict(instances), dict(previous))
    except (Exception, SystemExit) as error:
        raise InvalidJob(_FAILED, name=repr(job.strategy), error=_described(error)) from error
    if nonsense := _nonsense(answer, items, instances):
        raise InvalidJob(_FAILED, name=repr(job.strategy), error=nonsense[:SHOWN])
    return {item: answer[item] for item in items}


def strategy_named(name: str) -> Strategy:
    """Return the strategy of this name, or the one at this dotted path; raise `InvalidJob` that tells the way out."""
    if name in STRATEGIES:
        return STRATEGIES[name]
    module, dot, function = name.rpartition(".")
    if dot and all(part.isidentifier() for part in name.split(".")):
        return _imported(name, module, function)
    raise _refused(
        _(
            "sharding strategy %(name)s is unknown: choose one of %(known)s, "
            "or write the dotted path of a function, as in myapp.strategies.by_load"
        ),
        name,
    )


def _imported(name: str, module: str, function: str) -> Strategy:
    try:
        found = getattr(import_module(module), function)
    except (Exception, SystemExit) as error:  # whatever the module does when it is imported
        raise _refused(
            _(
                "sharding strategy %(name)s can't be imported (%(error)s): mend its path, "
                "as in myapp.strategies.by_load, or choose one of %(known)s"
            ),
            name,
            error=_described(error),
        ) from error
    if not _takes_four(found):
        raise _refused(
            _(
                "sharding strategy %(name)s is no function that takes (job, items, instances, previous): "
                "mend it, or choose one of %(known)s"
            ),
            name,
        )
    strategy: Strategy = found
    return strategy


def _refused(message: str, name: str, **params: str) -> InvalidJob:
    return InvalidJob(message, name=repr(name)[:SHOWN], known=", ".join(STRATEGIES), **params)


def _takes_four(found: object) -> bool:
    try:
        inspect.signature(found).bind(*range(4))  # type: ignore[arg-type]  # what is not callable raises too
    except (TypeError, ValueError):
        return False
    return True


def _nonsense(answer: object, items: Sequence[int], instances: Mapping[str, Instance]) -> str:
    """Return what is wrong with an answer, or nothing; whatever it is, looking at it may fail."""
    try:
        if not isinstance(answer, Mapping):
            return f"it answered {answer!r:.80}, not {{item: instance id}}"
        if missing := set(items) - answer.keys():
            return f"it gave no owner to item {min(missing)}"
        if extra := answer.keys() - set(items):
            return f"it gave an owner to {min(extra, key=repr)!r:.80}, which is no item that it was asked about"
        for item in items:
            if answer[item] not in instances:
                return f"it gave item {item} to {answer[item]!r:.80}, the id of no instance that may own it"
    except Exception as error:
        return _described(error)
    return ""


def _described(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:SHOWN]
    except Exception:  # whatever its __str__ does
        return type(error).__name__
