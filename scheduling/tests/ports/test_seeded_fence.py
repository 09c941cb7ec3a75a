"""Bugs put into the database's fence turn its tests red; without them the same tests are green."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from scheduling.database import fence
from scheduling.database.fence import DatabaseFence
from scheduling.domain.fire import Attempt
from scheduling.ports.ledger import DEFAULT
from scheduling.tests.ports import test_database_fence
from scheduling.tests.ports.database_stage import database_stage
from scheduling.tests.ports.seeding import is_red
from scheduling.tests.ports.stage import Stage

pytestmark = pytest.mark.mariadb


@pytest.fixture(params=[True, False], ids=["seeded", "as it is"])
def seeded(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def stage(transactional_db: None) -> Iterator[Stage]:
    yield database_stage()
    Group.objects.all().delete()


def with_attempt(test: Callable[..., None], *before: Any) -> Callable[[Stage], None]:
    """Return the test as one that needs a stage only."""
    return lambda stage: test(*before, stage, stage.run_all(stage.configure(), 30)[0])


def test_a_marker_that_is_written_in_a_savepoint(stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def atomic(using: str, durable: bool) -> Any:
        return transaction.atomic(using=using)

    if seeded:
        monkeypatch.setattr(fence, "transaction", SimpleNamespace(atomic=atomic))
    test = test_database_fence.TestOnce().test_a_marker_in_a_savepoint_is_not_trusted
    assert is_red(with_attempt(test), stage) == seeded


def test_a_fence_that_is_locked_from_the_start(
    several_writers: None, stage: Stage, seeded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def atomic(self: DatabaseFence, attempt: Attempt, *, using: str = DEFAULT) -> Iterator[None]:
        with transaction.atomic(using=using, durable=True):
            fence._check(self._pass(attempt, using), attempt)
            yield

    if seeded:
        monkeypatch.setattr(DatabaseFence, "atomic", atomic)
    test = test_database_fence.TestAtomic().test_an_item_can_be_taken_over_while_its_handler_computes_in_the_block
    assert is_red(with_attempt(test, None), stage) == seeded
