"""Bugs put into what an instance checks of the ledger, its clock and its time zone rules turn its tests red."""

import pytest

from scheduling.runtime import guard
from scheduling.runtime.guard import LedgerGuard
from scheduling.runtime.membership import Membership
from scheduling.runtime.offset import Offset
from scheduling.tests.ports.seeding import is_red
from scheduling.tests.runtime import test_guard, test_node_faults
from scheduling.tests.runtime.stage import Stage


@pytest.fixture(params=[True, False], ids=["seeded", "as it is"])
def seeded(request):
    return request.param


def test_a_ledger_that_went_back_while_instances_live(seeded, monkeypatch):
    if seeded:
        monkeypatch.setattr(guard, "_is_older", lambda cursor, known: False)
    test = test_guard.test_an_instance_that_has_seen_the_ledger_go_back_starts_nothing_until_it_is_restarted
    assert is_red(test, Stage()) == seeded


def test_tokens_that_are_handed_out_again_after_a_restore(seeded, monkeypatch):
    if seeded:
        monkeypatch.setattr(LedgerGuard, "note", lambda self, attempts: None)
    test = test_guard.test_a_token_that_was_handed_out_before_is_a_ledger_that_went_back
    assert is_red(lambda _stage: test(), Stage()) == seeded


@pytest.mark.parametrize("offset", [-50, 86_400])
def test_a_clock_that_is_off_and_nobody_minds(seeded, monkeypatch, offset):
    note = Offset.note

    def note_as_good(self, *times):
        note(self, *times)
        self.is_off = False

    if seeded:
        monkeypatch.setattr(Offset, "note", note_as_good)
    test = test_guard.test_an_instance_whose_clock_is_off_starts_nothing_and_its_items_go_to_others_until_it_is_right
    assert is_red(lambda stage: test(stage, offset), Stage()) == seeded


def test_an_opening_by_older_time_zone_rules(seeded, monkeypatch):
    if seeded:
        monkeypatch.setattr(Membership, "knows_newest_zones", lambda self: True)
    test = test_node_faults.test_an_instance_with_older_time_zone_rules_opens_nothing
    assert is_red(test, Stage()) == seeded


def test_newer_time_zone_rules_that_open_only_what_is_their_own(seeded, monkeypatch):
    if seeded:
        monkeypatch.setattr(Membership, "zones_differ", lambda self: False)
    test = test_node_faults.test_where_time_zone_rules_differ_those_who_know_the_newest_open_also_what_others_own
    assert is_red(test, Stage()) == seeded
