"""The pure parts of the benchmarks: percentiles, runs, lines of a log, counters, the table."""

import pytest

from benchmarks import changes
from benchmarks.figures import Start, medians, percentile, spread
from benchmarks.lateness import Scenario, cut
from benchmarks.table import markdown
from benchmarks.traffic import Sample, zookeeper_counters

EACH_SECOND = Scenario(name="two jobs each second", jobs=2, every=1, seconds=3)


def starts(*latenesses, fire_time=100.0):
    return [Start(fire_time=fire_time, item=0, started_at=fire_time + ms / 1000) for ms in latenesses]


def found(**parts):
    figures = {"p50": 10.4, "p99": 24.9, "last": 260.0}
    lateness = {"one job each second": {"median": figures}, "1 job of 1,000 items": {"median": figures}}
    empty = {"column": "MariaDB", "settings": "as in production", "session": 6.0, "handover": {}, "traffic": {}}
    return empty | {"lateness": lateness} | parts


def row_of(page, name):
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {name}")]
    return row


@pytest.mark.parametrize(("part", "expected"), [(50, 50), (99, 99), (100, 100), (0, 1)])
def test_a_percentile_is_one_of_the_numbers(part, expected):
    assert percentile(range(1, 101), part) == expected
    assert percentile([7.0], part) == 7.0


def test_a_run_comes_down_to_p50_p99_and_the_last():
    figures = spread(starts(30, 10, 20))
    assert {name: round(ms) for name, ms in figures.items()} == {"p50": 20, "p99": 30, "last": 30}


def test_one_slow_run_of_three_changes_no_median():
    assert medians([{"p99": 20.0}, {"p99": 900.0}, {"p99": 22.0}]) == {"p99": 22.0}


def test_starts_are_cut_into_runs_and_those_before_the_first_are_left_out():
    late = [start for second in range(98, 106) for start in starts(5, 9, fire_time=float(second))]
    runs = cut(late, 100, EACH_SECOND, 2)
    assert [sorted({start.fire_time for start in run}) for run in runs] == [[100, 101, 102], [103, 104, 105]]


def test_a_run_that_has_not_run_everything_once_is_no_measurement():
    with pytest.raises(RuntimeError, match="run 0: 2 starts instead of 6"):
        cut(starts(5, 9), 100, EACH_SECOND, 1)


GAINED = "2026-11-24T09:00:00.250Z INFO scheduling.node bench-hold-10-0 items gained: 0-3, 7 on web-1-{pid}-abc"


def test_the_log_tells_who_has_gained_how_many_items():
    lines = [GAINED.format(pid=12), GAINED.format(pid=13)]
    (change,) = changes.gained(lines, "bench-hold-10-0", 12)
    assert (change.id, change.items, change.time % 60) == ("web-1-12-abc", 5, 0.25)
    assert changes.gained(lines, "bench-hold-10", 12) == []


def test_the_log_tells_when_an_instance_was_registered():
    line = "2026-11-24T09:00:01.000Z INFO scheduling.node instance web-1-12-abc is registered"
    assert [change.id for change in changes.registered([line], 12)] == ["web-1-12-abc"]
    assert changes.registered([line], 1) == []


def test_a_fire_costs_what_is_beyond_idle():
    busy, idle = Sample(rates={"Questions": 170.0}), Sample(rates={"Questions": 20.0})
    assert busy.beyond(idle, 100) == {"Questions": 1.5}


def test_what_mntr_does_not_tell_is_named():
    assert zookeeper_counters("zk_version\t3.8\nzk_packets_received\t42\nzk_x\t1\n") == {"zk_packets_received": 42.0}
    with pytest.raises(ValueError, match="zk_packets_received"):
        zookeeper_counters("This ZooKeeper instance is not currently serving requests")


def test_the_table_says_of_each_aim_whether_it_is_met():
    page = markdown({"Python": "3.13", "CPUs": "2"}, [found()])
    assert "p50 10, p99 25 ms, met" in row_of(page, "one job each second")
    assert "last 260 ms, **missed**" in row_of(page, "1 job of 1,000 items")
    assert "Measured with Python 3.13, CPUs 2." in page
    assert "- MariaDB: as in production" in page


def test_the_table_has_the_median_of_the_runs_of_a_handover():
    page = markdown({}, [found(handover={"shares even": [0.02, 0.9, 0.03]}), found()])
    assert "| 0.03 s |  |" in row_of(page, "an instance joins")


def test_what_fires_cost_the_servers_stands_beside_what_none_cost():
    traffic = {
        "idle": {"zk_packets_received": 9.0},
        "busy": {"zk_packets_received": 9.1},
        "a fire": {"Questions": 1.49},
    }
    page = markdown({}, [found(traffic=traffic), found()])
    assert "| 9.0, 9.1 | none |" in row_of(page, "ZooKeeper requests")
    assert "| 1.49 |" in row_of(page, "SQL statements")
