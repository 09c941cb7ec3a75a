"""The table of seeded bugs names tests that exist, and every bug of the list."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parents[1]
TABLE = ROOT / "docs" / "seeded-bugs.md"


def test_every_test_in_the_table_exists_and_every_seeded_bug_is_in_it():
    named = set(re.findall(r"`(test_\w+)`", TABLE.read_text()))
    files = [*TESTS.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    existing = {name for path in files for name in re.findall(r"def (test_\w+)", path.read_text())}
    assert named <= existing
    seeded = [path for path in TESTS.rglob("test_seeded_*.py") if path != Path(__file__)]
    assert {name for path in seeded for name in re.findall(r"def (test_\w+)", path.read_text())} <= named


def test_the_table_has_every_number_of_the_list():
    numbers = {int(number) for number in re.findall(r"^\| (\d+) \|", TABLE.read_text(), re.MULTILINE)}
    assert numbers == set(range(1, 41))
