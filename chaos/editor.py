"""Edits jobs as the admin does, in a process of its own: a line of JSON in, a line of JSON with the outcome out.

{"job": …, "set": {field: value}} saves a job; {"job": …, "key": …} asks for a fire, twice, as a double click does.
"""

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import django

django.setup()

from django.db import DatabaseError, connection, transaction  # noqa: E402  needs the settings

from scheduling.database import configuration  # noqa: E402
from scheduling.domain.errors import JobDisabled, SchedulingError  # noqa: E402
from scheduling.models import Cursor  # noqa: E402

PATIENCE = 90  # seconds: the database may be away


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def answer(order: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out one order, again and again while the database is away."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return edit(order["job"], order["set"]) if "set" in order else request(order["job"], order["key"])
        except JobDisabled:
            return {"refused": "disabled"}
        except (DatabaseError, SchedulingError) as error:
            connection.close()
            if time.monotonic() > deadline:
                return {"refused": str(error)}
            time.sleep(0.2)


def edit(job: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Save the job; where the answer to the commit is lost, its revision tells whether it has been saved."""
    saved: dict[str, Any] = {}
    asked = time.time()
    try:
        with transaction.atomic():
            saved = save(job, fields)
    except DatabaseError:
        if not saved or revision_of(job) != saved["revision"]:
            raise
    return saved | {"asked": asked, "told": time.time()}


def revision_of(job: str) -> int:
    deadline = time.monotonic() + PATIENCE
    while True:
        connection.close()
        try:
            return Cursor.objects.get(job__name=job).revision
        except DatabaseError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def save(job: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    row = configuration.locked(configuration.row_of(job).pk)
    for field, value in fields.items():
        setattr(row, field, value)
    configuration.save(row)
    cursor = Cursor.objects.get(job=row)
    return {
        "job": job,
        "revision": cursor.revision,
        "after": cursor.counted_to.timestamp(),
        "every": row.interval if row.trigger_kind == "interval" else seconds_of(row.cron),
        "anchor": int(cursor.anchor.timestamp()) if cursor.anchor and row.trigger_kind == "interval" else 0,
        "enabled": cursor.enabled,
        "total": row.sharding_total_count,
    }


def seconds_of(cron: str) -> int:
    """Return the n of `*/n * * * * ?`."""
    return int(cron.split()[0].removeprefix("*").removeprefix("/") or 1)


def request(job: str, key: int) -> dict[str, Any]:
    asked_at = time.time()
    for _click in range(2):
        with transaction.atomic():
            configuration.request(configuration.row_of(job), key=key, asked_by="rig")
    return {"job": job, "key": key, "at": asked_at}


if __name__ == "__main__":
    main()
