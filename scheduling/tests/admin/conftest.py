"""What the tests of the admin share: a declared handler, saved jobs, a form filled in as a browser does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import Permission, User
from django.test import RequestFactory
from django.urls import resolve, reverse

from scheduling.database import configuration
from scheduling.models import Execution, Fire, Job
from scheduling.runtime.handlers import HANDLERS, Handler, job

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def cheap_passwords(settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def handler(monkeypatch) -> Iterator[Handler]:
    """The job `nightly`, as the code declares it."""
    monkeypatch.delitem(HANDLERS, "nightly", raising=False)
    job("nightly", cron="0 0 3 * * ?", time_zone="Europe/Berlin", sharding_total_count=2)(lambda context: None)
    yield HANDLERS["nightly"]
    HANDLERS.pop("nightly", None)


@pytest.fixture
def staff(client, db):
    """Logs a person in who may do only what these permissions say."""

    def log_in(*permissions: str):
        person = User.objects.create_user("staff", is_staff=True)
        person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(person)
        return client

    return log_in


def saved(name: str = "nightly", **fields) -> Job:
    """Return a job as somebody has saved it."""
    row = Job(name=name, **{"handler": "nightly", "cron": "0 0 3 * * ?", "time_zone": "Europe/Berlin", **fields})
    configuration.save(row)
    return Job.objects.select_related("cursor").get(pk=row.pk)


def again(row: Job) -> Job:
    """Return the row as it is now."""
    return Job.objects.select_related("cursor").get(pk=row.pk)


def url(model: str, page: str, *args: object) -> str:
    """Return the address of an admin page."""
    return reverse(f"admin:scheduling_{model}_{page}", args=args)


def filled_in(client, address: str, **typed: object) -> dict[str, object]:
    """Return what a browser would send after a person has opened the form (nothing draws it here) and typed."""
    view = resolve(address)
    request = RequestFactory().get(address)
    request.session = client.session
    request.user = get_user(request)
    form = view.func(request, *view.args, **view.kwargs).context_data["adminform"].form
    values = {field.name: field.value() for field in form} | typed
    return {name: value for name, value in values.items() if value is not None and value is not False}


def post(client, address: str, **typed: object):
    """Open the form, type, save, and return the page that comes then."""
    return client.post(address, filled_in(client, address, **typed), follow=True)


def errors_of(response) -> str:
    """Return the form's errors as one text."""
    return " ".join(str(error) for errors in response.context["adminform"].form.errors.values() for error in errors)


def act(client, action: str, *rows: Job, **data: object):
    """Choose an action for these rows of the list, as a browser does."""
    page = client.get(url("job", "changelist"))
    key = page.context["action_form"]["key"].value() if page.context.get("action_form") else ""
    sent = {"action": action, "_selected_action": [row.pk for row in rows], "index": 0, "key": key, **data}
    return client.post(url("job", "changelist"), sent, follow=True)


def said(response) -> list[str]:
    """Return the messages at the top of the page."""
    return [str(message) for message in response.context["messages"]]


def fire(row: Job, state: str = "succeeded", *, after: int = 0, **fields: Any) -> Fire:
    """Return a fire `after` so many seconds."""
    time = NOON + timedelta(seconds=after)
    defaults: dict[str, object] = {
        "fire_time": time,
        "opened_at": time,
        "revision": 1,
        "total": row.sharding_total_count,
    }
    unsettled = True if state == "open" else None
    return Fire.objects.create(job=row, state=state, unsettled=unsettled, **(defaults | fields))


def execution(of: Fire, state: str = "succeeded", item: int = 0, **fields) -> Execution:
    """Return an execution of the fire."""
    live = True if state in ("pending", "running", "waiting") else None
    return Execution.objects.create(
        fire=of, job=of.job, item=item, state=state, live=live, due_at=of.fire_time, attempt=1, token=1, **fields
    )
