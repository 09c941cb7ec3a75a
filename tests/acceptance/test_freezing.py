"""Instances that are frozen around and within `context.once()` while commits and answers to them are lost."""

import pytest

from benchmarks.failover.cluster import cluster
from benchmarks.failover.freezing import DONE, INSIDE, ON_ITS_WAY, freeze

pytestmark = pytest.mark.acceptance


@pytest.mark.timeout(240)
def test_each_effect_is_there_once_wherever_its_instance_was_frozen_and_whichever_answer_was_lost():
    with cluster() as lent:
        try:
            rounds = freeze(lent, (ON_ITS_WAY, INSIDE, INSIDE, DONE))
        finally:
            print("\n".join(lent.site.log_lines()[-100:]))
    print("begun again after", *(f"{each['begun again']:.2f} s" for each in rounds))
    assert [each["effects"] for each in rounds] == [1, 1, 1, 1]
    assert [each["lost replies"] for each in rounds] == [2, 1, 0, 1]
    assert [each["outcomes"][1] for each in rounds] == ["done"] * 4
