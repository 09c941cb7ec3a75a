"""Looks for a bug that was put in, one history after the other."""

import pytest

from scheduling.tests.simulation.history import Broken
from scheduling.tests.simulation.world import play

SEEDS = 150


def check_found(*promises, first=0):
    """Play histories from a first seed until one breaks one of these promises."""
    for seed in range(first, first + SEEDS):
        try:
            play(seed)
        except Broken as error:
            assert any(promise in str(error) for promise in promises)
            assert f"seed {seed}: " in str(error)
            return
    pytest.fail(f"{SEEDS} histories, and nothing was found")
