"""Whether a bug that was put in turns a test red."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from django.db import DatabaseError

from scheduling.domain.errors import SchedulingError

Stage = TypeVar("Stage")


def is_red(test: Callable[[Stage], None], stage: Stage) -> bool:
    """Does the test fail: by an assertion, by what is raised or is not, or as what it unpacks is not there?"""
    try:
        test(stage)
    except (AssertionError, DatabaseError, SchedulingError, ValueError, pytest.fail.Exception):
        return True
    return False
