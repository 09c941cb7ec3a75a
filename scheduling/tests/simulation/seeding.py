"""Looks for a bug that was put in, one history after the other."""

import pytest

from scheduling.tests.simulation.history import Broken
from scheduling.tests.simulation.world import play

SEEDS = 150


def check_found(*promises, first=0):
    """Play histories until one breaks one of these promises; a first seed shortly before that one saves time."""
    for seed in range(first, first + SEEDS):
        try:
            play(seed)
        except Broken as error:
            assert any(promise in str(error) for promise in promises)
            assert f"seed {seed}: " in str(error)
            return
    pytest.fail(f"{SEEDS} histories, and nothing was found")
