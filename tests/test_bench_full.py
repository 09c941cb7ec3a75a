"""What comes of measuring a full ledger, and that the query plans in `docs/` are of a healthy one."""

from pathlib import Path

from benchmarks.full.table import beyond, markdown, plans, ratios

PLANS = Path(__file__).parent.parent / "docs" / "query-plans.md"
FOUND = {
    "empty": {"open": 4.0, "look": 2.0, "prune, nothing to do": 2.0},
    "full": {"open": 4.4, "look": 3.2, "prune, nothing to do": 20.0},
    "prune": {"prune 1,000 fires": 30.0},
    "plans": [{"statement": "SELECT … FROM fire", "plan": "by its index"}],
}


def test_what_takes_more_than_one_and_a_half_times_as_long_is_named_and_pruning_is_only_shown():
    assert ratios(FOUND) == {"open": 1.1, "look": 1.6, "prune, nothing to do": 10.0}
    assert beyond(FOUND) == ["look"]
    page = markdown({"Python": "3"}, 600_000, {"MariaDB": FOUND})
    assert "| look | 2.0 | 3.2 | 1.60 |" in page
    assert "Beyond 1.5: look." in page


def test_the_page_of_plans_has_each_statement_with_its_plan():
    assert "* `SELECT … FROM fire`  \n  by its index" in plans(600_000, {"SQLite": FOUND})


def test_no_plan_of_the_documented_ones_reads_a_whole_table():
    page = PLANS.read_text()
    assert "scheduling_live" in page and "scheduling_settled" in page
    for whole in ("SCAN scheduling_", "scheduling_fire: ALL", "scheduling_execution: ALL"):
        assert whole not in page
