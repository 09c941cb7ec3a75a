"""A bug put into what follows a restore of the database turns its test red; without it the same test is green."""

import pytest

from scheduling.management import acts
from scheduling.tests import test_jobs_command
from scheduling.tests.commanding import only_one_handler
from scheduling.tests.ports.seeding import is_red

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


@pytest.mark.parametrize("seeded", [True, False], ids=["seeded", "as it is"])
def test_tokens_that_go_on_after_a_restore_as_if_nothing_had_happened(seeded, monkeypatch):
    if seeded:
        monkeypatch.setattr(acts, "RESTORED_TOKENS", 1)
    test = test_jobs_command.test_after_a_restore_every_item_gets_a_token_beyond_all_that_were_handed_out
    with only_one_handler():
        assert is_red(lambda _nothing: test(), None) == seeded
