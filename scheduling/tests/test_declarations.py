"""What the code declares, on its way into the rows."""

from dataclasses import replace
from unittest.mock import patch

import pytest
from django.db import DEFAULT_DB_ALIAS

from scheduling import job
from scheduling.database import configuration
from scheduling.database.declarations import after_migrate, sync
from scheduling.database.ledger import DatabaseLedger
from scheduling.models import Cursor, Item, Job
from scheduling.runtime.handlers import HANDLERS

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


@pytest.fixture(autouse=True)
def no_other_handlers():
    Job.objects.all().delete()
    with patch.dict(HANDLERS, clear=True):
        yield


def work(context):
    pass


def declare(name="work", **options):
    HANDLERS.pop(name, None)
    job(name, **options)(work)


def outcomes():
    return {synced.job: synced.outcome for synced in sync()}


def change_by_hand(**fields):
    row = Job.objects.get(name="work")
    for field, value in fields.items():
        setattr(row, field, value)
    row.changed_fields = list(fields)
    configuration.save(row)


def test_a_new_declaration_makes_a_job_with_its_cursor_and_items():
    declare(cron="0 0 3 * * ?", sharding_total_count=3)
    assert outcomes() == {"work": "created"}
    row = Job.objects.get()
    assert (row.cron, row.handler, row.cursor.enabled, row.cursor.revision) == ("0 0 3 * * ?", "work", True, 1)
    assert list(Item.objects.filter(job=row).values_list("number", flat=True)) == [0, 1, 2]


def test_a_declaration_that_did_not_change_raises_no_revision():
    declare(interval=5)
    sync()
    assert outcomes() == {"work": "unchanged"}
    assert Cursor.objects.get(job__name="work").revision == 1


def test_a_changed_declaration_is_written_and_raises_the_revision():
    declare(interval=5)
    sync()
    declare(cron="0 0 3 * * ?")
    assert outcomes() == {"work": "updated: interval, trigger_kind, cron"}
    row = Job.objects.get()
    assert (row.trigger_kind, row.cron, row.interval, row.cursor.revision) == ("cron", "0 0 3 * * ?", None, 2)


def test_how_long_fires_are_kept_is_written_as_declared_and_stays_when_the_rest_is_configured():
    declare(keep_days=3, keep_fires=50)
    sync()
    (configured,) = DatabaseLedger().jobs()
    configuration.configure(replace(configured, enabled=False))
    row = Job.objects.get()
    assert (row.keep_days, row.keep_fires, row.enabled) == (3, 50, False)


def test_a_field_that_a_person_changed_is_left_alone_and_named():
    declare(interval=5, description="as declared")
    sync()
    change_by_hand(interval=7)
    declare(interval=6, description="declared anew")
    assert outcomes() == {"work": "updated: description"}
    assert outcomes() == {"work": "unchanged; set by a person: interval"}
    assert Job.objects.get().interval == 7


def test_a_retired_job_is_not_taken_up_again_by_the_code():
    declare(interval=5)
    sync()
    configuration.retire(Job.objects.get())
    assert outcomes()["work"].startswith("retired in the admin, left alone")
    assert Job.objects.get().retired_at


def test_a_declaration_that_cannot_be_written_leaves_the_others_alone():
    declare("broken", cron="61 * * * * ?")
    declare("work", interval=5)
    broken, written = sync()
    assert (broken.failed, written.outcome) == (True, "created")
    assert "61" in broken.outcome
    assert list(Job.objects.values_list("name", flat=True)) == ["work"]


def test_a_job_whose_code_is_gone_stays():
    declare(interval=5)
    sync()
    HANDLERS.clear()
    assert (outcomes(), Job.objects.get().enabled) == ({}, True)


def test_migrating_writes_the_declarations_and_says_so(capsys):
    declare(interval=5)
    after_migrate(using=DEFAULT_DB_ALIAS, verbosity=1)
    assert capsys.readouterr().out == "  work: created\n"


def test_migrating_another_database_writes_no_declaration():
    declare(interval=5)
    after_migrate(using="other", verbosity=0)
    assert not Job.objects.exists()
