import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from scheduling.domain.documents import (
    MOST_BYTES,
    instance_from_document,
    instance_to_document,
    job_from_document,
    job_to_document,
    owners_from_document,
    owners_to_document,
    read,
    write,
)
from scheduling.domain.errors import ForeignDocument
from scheduling.domain.instance import Holding, Instance
from scheduling.domain.job import Isolation, Job, Misfire, OnTimeout
from scheduling.domain.retry import Backoff, Retry
from scheduling.domain.trigger import CronTrigger, DateTrigger, IntervalTrigger, ManualTrigger

SURROGATE = b'{"a": "\\ud800", "digest": "x"}'
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
JOB = Job(
    name="archive-job",
    handler="archive",
    trigger=CronTrigger(expression="0/2 * * * * ?", time_zone="Asia/Shanghai"),
    sharding_total_count=3,
    item_parameters={0: "本科", 2: "a=b, c"},
    strategy="average_allocation",
    misfire=Misfire.SKIP,
    fire_all_most=7,
    fire_all_age=60,
    failover=False,
    retry=Retry(most=3, delay=5, backoff=Backoff.EXPONENTIAL, delay_most=40, elsewhere=False),
    timeout=30,
    on_timeout=OnTimeout.KILL,
    isolation=Isolation.PROCESS,
    enabled=False,
    revision=7,
)
INSTANCE = Instance(
    id="h-1-x",
    host="h",
    pid=1,
    started_at=NOON,
    handlers=frozenset({"mail", "archive"}),
    tzdata="2026a",
    capacity=4,
    draining=True,
)
TRIGGERS = [
    JOB.trigger,
    CronTrigger(expression="0 0 12 * * ?", dst="quartz"),
    IntervalTrigger(seconds=5, anchor=NOON),
    DateTrigger(at=NOON),
    ManualTrigger(),
]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=repr)
def test_a_job_comes_back_as_it_was(trigger):
    job = replace(JOB, trigger=trigger)
    assert job_from_document("archive-job", read(write(job_to_document(job)))) == job


def test_a_job_that_newer_or_older_code_has_written_is_read_as_far_as_it_is_known():
    written = job_to_document(JOB)
    assert job_from_document("archive-job", written | {"what_comes_next": 7}) == JOB
    older = {key: value for key, value in written.items() if key not in ("retries", "timeout", "isolation")}
    read_again = job_from_document("archive-job", older)
    assert (read_again.retry.most, read_again.timeout, read_again.isolation) == (0, None, Isolation.THREAD)


def test_an_instance_that_newer_code_has_written_is_read_as_far_as_it_is_known():
    assert instance_from_document("h-1-x", instance_to_document(INSTANCE) | {"what_comes_next": 7}) == INSTANCE


def test_an_instance_that_holds_for_a_reason_of_newer_code_holds_for_older_code_too():
    read_by_older = instance_from_document("a", instance_to_document(INSTANCE) | {"holding": "of_newer_code"})
    assert read_by_older.holding is Holding.UNKNOWN
    assert not replace(read_by_older, draining=False).takes_items


def test_an_instance_comes_back_as_it_was():
    assert instance_from_document("h-1-x", read(write(instance_to_document(INSTANCE)))) == INSTANCE


def test_owners_come_back_as_they_were():
    owners = {0: "a", 1: "b", 2: "a", 3: "a"}
    assert owners_from_document(read(write(owners_to_document(owners, epoch=3)))) == owners


def test_a_job_is_written_in_the_words_that_people_know():
    written = json.loads(write(job_to_document(JOB)))
    assert (written["cron"], written["time_zone"], written["revision"]) == ("0/2 * * * * ?", "Asia/Shanghai", 7)
    assert "本科" in write(job_to_document(JOB)).decode()


@pytest.mark.parametrize(
    "written", [b"", b"{", b"[]", b"7", b"null", b'{"a": 1}', b"\xff\xfe", b"[" * 100_000, SURROGATE]
)
def test_what_is_no_document_of_ours_is_refused(written):
    with pytest.raises(ForeignDocument):
        read(written)


def test_a_document_edited_by_hand_is_refused():
    edited = write(job_to_document(JOB)).replace(b"0/2 *", b"0/1 *")
    with pytest.raises(ForeignDocument, match="changed by somebody else"):
        read(edited)


def test_a_big_document_is_neither_written_nor_read():
    with pytest.raises(ForeignDocument, match="fewer items or parameters"):
        write({"text": "x" * MOST_BYTES})
    with pytest.raises(ForeignDocument, match="more than"):
        read(b"x" * (MOST_BYTES + 1))


@pytest.mark.parametrize(
    "change", [{"misfire": "often"}, {"item_parameters": 3}, {"cron": "* *"}, {"isolation": "jail"}]
)
def test_a_document_that_is_no_job_is_refused(change):
    with pytest.raises(ForeignDocument, match="it is no job"):
        job_from_document("archive-job", job_to_document(JOB) | change)


@pytest.mark.parametrize("change", [{"started_at": "noon"}, {"handlers": None}])
def test_a_document_that_is_no_instance_is_refused(change):
    with pytest.raises(ForeignDocument, match="it is no instance"):
        instance_from_document("a", instance_to_document(INSTANCE) | change)


@pytest.mark.parametrize(
    "document",
    [
        {"epoch": 1},
        {"epoch": 1, "owners": {"a": [[0, 10_000]]}},
        {"epoch": 1, "owners": {"a": [3]}},
        {"epoch": 1, "owners": {}, "more": 1},
    ],
)
def test_a_document_that_names_no_owners_is_refused(document):
    with pytest.raises(ForeignDocument, match="it names no owners"):
        owners_from_document(document)
