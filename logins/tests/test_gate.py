import logging
import random

import pytest
from django.db import OperationalError

from logins.copies import CopiesFull, CopiesUnavailable
from logins.gate import Gate
from logins.tests.memory import Link, Memory


class Outbox:
    """Entries that the test writes; the recent ones are those of the last minute."""

    def __init__(self, clock):
        self.clock = clock
        self.entries = {}
        self.asked = 0
        self.error = None

    def post(self, digest):
        self.entries[len(self.entries) + 1] = (digest, self.clock())

    def posted(self, after=None):
        self.asked += 1
        if self.error:
            raise self.error
        since = 0 if after is None else self.clock() - 60
        return {entry: digest for entry, (digest, at) in self.entries.items() if at >= since or entry > after}


class Stage:
    def __init__(self):
        self.now = 1000.0
        self.memory = Memory(lambda: self.now)
        self.link = Link(self.memory, random.Random(0))
        self.outbox = Outbox(lambda: self.now)
        self.gate = Gate(self.link, self.outbox, lambda: self.now)

    def holds(self, digest):
        return digest in self.memory.found


@pytest.fixture
def stage():
    return Stage()


def test_it_opens_when_redis_has_dropped_the_outbox(stage):
    stage.memory.seize("ended")
    stage.outbox.post("ended")
    assert stage.gate.is_open()
    assert not stage.holds("ended")


def test_it_looks_twice_a_second_and_not_at_each_request(stage):
    for _ in range(100):
        assert stage.gate.is_open()
        stage.now += 0.01
    assert stage.outbox.asked == 2


def test_what_was_dropped_is_not_dropped_again_while_the_server_is_the_same(stage):
    stage.outbox.post("ended")
    assert stage.gate.is_open()
    stage.memory.seize("ended")
    stage.now += 0.6
    assert stage.gate.is_open()
    assert stage.holds("ended")


def test_a_server_that_started_anew_drops_the_whole_outbox_again(stage):
    stage.outbox.post("ended")
    assert stage.gate.is_open()
    stage.now += 200
    stage.memory.seize("ended")
    stage.memory.server = "another"
    assert stage.gate.is_open()
    assert not stage.holds("ended")


def test_a_failure_shuts_it_for_a_second_in_which_nothing_is_asked(stage):
    assert stage.gate.is_open()
    stage.gate.shut(CopiesUnavailable("hangs"))
    asked = stage.outbox.asked
    stage.now += 0.9
    assert not stage.gate.is_open()
    assert stage.outbox.asked == asked
    stage.now += 0.2
    assert stage.gate.is_open()


def test_after_a_failure_the_whole_outbox_is_dropped_before_redis_is_believed(stage):
    stage.outbox.post("ended")
    assert stage.gate.is_open()
    stage.now += 200
    stage.memory.seize("ended")
    stage.gate.shut(CopiesUnavailable("hung"))
    stage.now += 1.1
    assert stage.gate.is_open()
    assert not stage.holds("ended")


def test_who_was_idle_has_the_whole_outbox_dropped(stage):
    assert stage.gate.is_open()
    stage.now += 100
    stage.outbox.post("ended")
    stage.now += 100
    stage.memory.seize("ended")
    assert stage.gate.is_open()
    assert not stage.holds("ended")


def test_an_entry_that_is_dated_wrongly_is_dropped_too(stage):
    assert stage.gate.is_open()
    stage.memory.seize("ended")
    stage.outbox.entries[1] = ("ended", stage.now - 300)
    stage.now += 0.6
    assert stage.gate.is_open()
    assert not stage.holds("ended")


def test_while_redis_is_away_the_outbox_is_not_read(stage):
    stage.link.is_cut = True
    assert not stage.gate.is_open()
    assert stage.outbox.asked == 0


def test_one_request_at_a_time_tries_again_and_the_others_do_not_wait(stage):
    stage.gate.shut(CopiesUnavailable("hangs"))
    stage.now += 1.1
    others = []

    def drop_while_others_ask(digests):
        others.append(stage.gate.is_open())
        return "server-0"

    stage.memory.drop = drop_while_others_ask
    assert stage.gate.is_open()
    assert others and not any(others)


def test_a_full_redis_is_still_read_and_said_once(stage, caplog):
    assert stage.gate.is_open()
    for _ in range(5):
        stage.gate.shut(CopiesFull("OOM"))
    assert stage.gate.is_open()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_it_stays_shut_while_redis_cannot_drop_the_outbox(stage):
    stage.link.is_cut = True
    for _ in range(5):
        assert not stage.gate.is_open()
        stage.now += 1.1
    stage.link.is_cut = False
    assert stage.gate.is_open()


def test_it_is_shut_when_the_outbox_could_not_be_read_for_a_second(stage):
    assert stage.gate.is_open()
    stage.outbox.error = OperationalError("gone away")
    stage.now += 0.6
    assert stage.gate.is_open()
    stage.now += 0.6
    assert not stage.gate.is_open()
    stage.outbox.error = None
    assert stage.gate.is_open()


def test_a_failure_during_a_look_is_not_forgotten_by_it(stage):
    drop = stage.memory.drop

    def drop_while_another_request_fails(digests):
        stage.gate.shut(CopiesUnavailable("hangs"))
        return drop(digests)

    stage.memory.drop = drop_while_another_request_fails
    assert not stage.gate.is_open()


def test_an_outage_is_one_line_in_the_log_and_its_end_another(stage, caplog):
    caplog.set_level(logging.INFO, "logins")
    stage.link.is_cut = True
    for _ in range(5):
        stage.gate.is_open()
        stage.now += 1.1
    stage.link.is_cut = False
    stage.gate.is_open()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
