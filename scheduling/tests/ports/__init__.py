"""One suite per port, run over every implementation of it."""

import pytest

SUITES = (
    "claiming_suite",
    "configuring_suite",
    "cutting_off_suite",
    "fence_suite",
    "finishing_suite",
    "misfire_suite",
    "opening_suite",
    "race_suite",
    "registry_suite",
    "requesting_suite",
    "retrying_suite",
    "settling_suite",
    "taking_over_suite",
)
pytest.register_assert_rewrite(*(f"{__name__}.{suite}" for suite in SUITES))
