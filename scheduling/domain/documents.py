"""What the registry keeps: jobs, instances and owners as JSON, and the way back.

Every document carries a digest of the rest of it, and is read strictly: what somebody's script has written, or what was
edited by hand, is refused with `ForeignDocument` and written anew by its owner.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from hashlib import sha256
from typing import Any

from scheduling.domain.errors import ForeignDocument
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.instance import Holding, Instance
from scheduling.domain.job import Isolation, Job, Misfire, OnTimeout
from scheduling.domain.ranges import from_ranges, to_ranges
from scheduling.domain.retry import Backoff, Retry
from scheduling.domain.trigger import CronTrigger, DateTrigger, IntervalTrigger, ManualTrigger, Trigger

MOST_BYTES = 256 * 1024
"""ZooKeeper's own limit is 1 MB for a request, and passing it ends the connection of whoever sent it."""


def write(document: Mapping[str, Any]) -> bytes:
    """Return the document's bytes; raise `ForeignDocument` if they are more than `MOST_BYTES`."""
    written = _canonical({**document, "digest": _digest(document)})
    if len(written) > MOST_BYTES:
        raise ForeignDocument(
            _("the document has %(size)s bytes, more than %(most)s: cut the job into fewer items or parameters"),
            size=len(written),
            most=MOST_BYTES,
        )
    return written


def read(written: bytes) -> dict[str, Any]:
    """Return what `write` was given; raise `ForeignDocument` for anything that `write` has not written."""
    if len(written) > MOST_BYTES:
        raise ForeignDocument(_("it has %(size)s bytes, more than %(most)s"), size=len(written), most=MOST_BYTES)
    try:
        document = json.loads(written)
        is_ours = document.pop("digest") == _digest(document)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ForeignDocument(_("it is not one of ours: %(start)s"), start=repr(written[:80])) from error
    if not is_ours:
        raise ForeignDocument(_("it was changed by somebody else: its digest is not that of its content"))
    return dict(document)


def job_to_document(job: Job) -> dict[str, Any]:
    """Return a job in the words of `@job`; its name is that of the node it is kept in."""
    return {
        "revision": job.revision,
        "handler": job.handler,
        **_trigger_to_document(job.trigger),
        "sharding_total_count": job.sharding_total_count,
        "item_parameters": {str(item): parameter for item, parameter in sorted(job.item_parameters.items())},
        "strategy": job.strategy,
        "misfire": str(job.misfire),
        "fire_all_most": job.fire_all_most,
        "fire_all_age": job.fire_all_age,
        "failover": job.failover,
        "retries": job.retry.most,
        "retry_delay": job.retry.delay,
        "retry_backoff": str(job.retry.backoff),
        "retry_delay_most": job.retry.delay_most,
        "retry_elsewhere": job.retry.elsewhere,
        "timeout": job.timeout,
        "on_timeout": str(job.on_timeout),
        "isolation": str(job.isolation),
        "enabled": job.enabled,
    }


def job_from_document(name: str, document: Mapping[str, Any]) -> Job:
    """Read what `job_to_document` wrote; raise `ForeignDocument`."""
    rest = dict(document)
    try:
        job = Job(
            name=name,
            trigger=_trigger_from_document(rest),
            item_parameters={int(item): parameter for item, parameter in rest.pop("item_parameters").items()},
            misfire=Misfire(rest.pop("misfire")),
            retry=_retry_from_document(rest),
            on_timeout=OnTimeout(rest.pop("on_timeout", OnTimeout.CANCEL)),
            isolation=Isolation(rest.pop("isolation", Isolation.THREAD)),
            **_known(rest, Job),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ForeignDocument(_("it is no job: %(error)s"), error=repr(error)) from error
    return job


def instance_to_document(instance: Instance) -> dict[str, Any]:
    """Return what the others see of an instance; its id is the name of the node."""
    return {
        "host": instance.host,
        "pid": instance.pid,
        "started_at": instance.started_at.isoformat(),
        "handlers": sorted(instance.handlers),
        "tzdata": instance.tzdata,
        "capacity": instance.capacity,
        "draining": instance.draining,
        "holding": str(instance.holding) if instance.holding else None,
        "clock_offset": instance.clock_offset,
    }


def instance_from_document(id: str, document: Mapping[str, Any]) -> Instance:
    """Read what `instance_to_document` wrote; raise `ForeignDocument`."""
    rest = dict(document)
    try:
        return Instance(
            id=id,
            started_at=datetime.fromisoformat(rest.pop("started_at")),
            handlers=frozenset(rest.pop("handlers")),
            holding=Holding(holding) if (holding := rest.pop("holding", None)) else None,
            **_known(rest, Instance),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ForeignDocument(_("it is no instance: %(error)s"), error=repr(error)) from error


def owners_to_document(owners: Mapping[int, str], epoch: int) -> dict[str, Any]:
    """Return one job's owners as instance → [[first, last], …], with the epoch of the leader that gave them out."""
    return {"epoch": epoch, "owners": to_ranges(owners)}


def owners_from_document(document: Mapping[str, Any]) -> dict[int, str]:
    """Read what `owners_to_document` wrote; raise `ForeignDocument`."""
    try:
        if document.keys() != {"epoch", "owners"}:
            raise ValueError(f"its keys are {', '.join(document)}")
        return from_ranges(document["owners"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ForeignDocument(_("it names no owners: %(error)s"), error=repr(error)) from error


def _trigger_to_document(trigger: Trigger) -> dict[str, Any]:
    match trigger:
        case CronTrigger():
            return {"cron": trigger.expression, "time_zone": trigger.time_zone, "dst": trigger.dst}
        case IntervalTrigger():
            return {"interval": trigger.seconds, "anchor": trigger.anchor.isoformat()}
        case DateTrigger():
            return {"at": trigger.at.isoformat()}
        case _:
            return {}


def _trigger_from_document(rest: dict[str, Any]) -> Trigger:
    if "cron" in rest:
        return CronTrigger(expression=rest.pop("cron"), time_zone=rest.pop("time_zone"), dst=rest.pop("dst"))
    if "interval" in rest:
        return IntervalTrigger(seconds=rest.pop("interval"), anchor=datetime.fromisoformat(rest.pop("anchor")))
    if "at" in rest:
        return DateTrigger(at=datetime.fromisoformat(rest.pop("at")))
    return ManualTrigger()


def _retry_from_document(rest: dict[str, Any]) -> Retry:
    default = Retry()
    return Retry(
        most=rest.pop("retries", default.most),
        delay=rest.pop("retry_delay", default.delay),
        backoff=Backoff(rest.pop("retry_backoff", default.backoff)),
        delay_most=rest.pop("retry_delay_most", default.delay_most),
        elsewhere=rest.pop("retry_elsewhere", default.elsewhere),
    )


def _known(rest: Mapping[str, Any], kind: type[Job] | type[Instance]) -> dict[str, Any]:
    """Return what this version of the code knows; a newer one may have written more."""
    return {field.name: rest[field.name] for field in fields(kind) if field.name in rest}


def _digest(document: Mapping[str, Any]) -> str:
    return sha256(_canonical(document)).hexdigest()[:16]


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
