"""docs/operations.md names, for each fault, a test that is there, or says why there is none."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "operations.md").read_text()
HEAD = "| fault | what happens | what to do | shown by |"


def rows():
    """Return the cells of each fault's row."""
    lines = PAGE.partition(HEAD)[2].partition("\n\n")[0].splitlines()[2:]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [cells for cells in table if any(cells[1:])]  # without the headings in bold


def there():
    folders = ("tests", "scheduling", "logins")
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return {name for file in files for name in re.findall(r"^ *def (test_\w+)", file.read_text(), re.MULTILINE)}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_fault_has_its_test_or_a_reason_why_there_is_none(row):
    assert len(row) == 4
    assert all(row[:3])
    assert re.search(r"`test_\w+`", row[3]) or "*by reasoning*" in row[3]


def test_each_test_that_is_named_is_there():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 30
    assert named <= there()


def test_the_page_is_short():
    assert len(PAGE.splitlines()) <= 150


def test_each_link_within_the_page_has_its_heading():
    headings = {line.lstrip("# ").lower().replace(" ", "-") for line in PAGE.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
