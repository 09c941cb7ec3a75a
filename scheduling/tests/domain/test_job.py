import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.domain.errors import InvalidJob
from scheduling.domain.job import (
    check_name,
    check_sharding_total_count,
    format_item_parameters,
    parse_item_parameters,
)


def test_item_parameters_are_read_from_one_line_or_from_several():
    assert parse_item_parameters("0=bachelor, 1=master,2=doctor", 3) == {0: "bachelor", 1: "master", 2: "doctor"}
    assert parse_item_parameters("0=a,b\n1=x=y\n", 2) == {0: "a,b", 1: "x=y"}
    assert parse_item_parameters("", 1) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3=x", "'3=x' is for an item outside 0-2: raise the sharding total count or remove it"),
        ("99999999999999999999=x", "outside 0-2"),
        ("-1=x", "not written item=parameter"),
        ("bachelor", "'bachelor' is not written item=parameter, as in 0=bachelor,1=master"),
        ("²=x", "not written item=parameter"),
        ("0=a,0=b", "item 0 has two parameters"),
    ],
)
def test_item_parameters_that_cannot_be_meant_are_named(text, message):
    with pytest.raises(InvalidJob, match=message):
        parse_item_parameters(text, 3)


@given(st.dictionaries(st.integers(0, 99), st.text("abc,=学 ").map(str.strip)))
def test_item_parameters_are_read_as_they_were_written(parameters):
    assert parse_item_parameters(format_item_parameters(parameters), 100) == parameters


@pytest.mark.parametrize("count", [0, 100_000, -1])
def test_a_sharding_total_count_out_of_range_is_named(count):
    with pytest.raises(InvalidJob, match=f"{count} is not a whole number from 1 to 10000"):
        check_sharding_total_count(count)


@pytest.mark.parametrize("name", ["", "Pay", "a/b", "-a", "a b", "作业", "a" * 101, "a\n"])
def test_a_name_that_some_database_or_path_would_change_is_refused(name):
    with pytest.raises(InvalidJob, match="cannot be a name"):
        check_name(name)


@pytest.mark.parametrize("name", ["archive-job", "a", "9.x_y", "a" * 100])
def test_plain_names_are_taken(name):
    check_name(name)
