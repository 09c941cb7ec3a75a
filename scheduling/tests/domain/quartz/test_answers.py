"""The answers of the real Quartz 2.3.2: what each group of them demands is in the README beside their source."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduling.domain.errors import InvalidCronExpression
from scheduling.tests.domain.adapter import fires

HERE = Path(__file__).parent
Record = dict[str, Any]


def records(name: str) -> Iterator[Record]:
    with (HERE / name).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


BY_GROUP: dict[str, list[Record]] = defaultdict(list)
for _record in records("sample.jsonl"):
    BY_GROUP[_record["group"]].append(_record)
ONCE = {record["id"]: record["policies"]["vixie"] for record in records("dst_alternatives.jsonl")}


def answer(record: Record, dst: str) -> list[str] | str:
    try:
        return fires(record["expr"], record["tz"], record["start"], 8, dst)
    except InvalidCronExpression as error:
        return f"refused: {error}"


def test_the_answers_are_all_there():
    counts = {group: len(found) for group, found in BY_GROUP.items()}
    assert counts == {"core": 255, "dst": 19, "quirk-dst": 7, "year-limit": 2, "quirk-parse": 15, "invalid": 62}


@pytest.mark.parametrize("group", ["core", "dst", "quirk-dst", "year-limit"])
def test_fixed_times_fire_once_and_intervals_in_both_passes(group):
    expected = {record["id"]: ONCE.get(record["id"], record["fires"]) for record in BY_GROUP[group]}
    assert {record["id"]: answer(record, "once") for record in BY_GROUP[group]} == expected


@pytest.mark.parametrize("group", ["core", "dst", "year-limit"])
def test_quartzs_own_daylight_saving_is_kept_for_those_who_ask_for_it(group):
    expected = {record["id"]: record["fires"] for record in BY_GROUP[group]}
    assert {record["id"]: answer(record, "quartz") for record in BY_GROUP[group]} == expected


@pytest.mark.parametrize("group", ["invalid", "quirk-parse"])
def test_what_quartz_refuses_or_reads_by_accident_is_refused_by_the_field(group):
    for record in BY_GROUP[group]:
        assert str(answer(record, "once")).startswith("refused: field "), record["expr"]
