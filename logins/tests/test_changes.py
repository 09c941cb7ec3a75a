import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logins.changes import changes, session_text, values_of

values = st.dictionaries(
    st.text(max_size=4),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=4), st.lists, max_leaves=5),
    max_size=5,
)


@settings(max_examples=50)
@given(values, values)
def test_changes_lead_from_the_one_to_the_other(before, after):
    assert changes(before, after).applied(before) == after


@settings(max_examples=50)
@given(values, values)
def test_changes_can_be_made_in_place(before, after):
    changes(before, after).apply_to(before)
    assert before == after


@settings(max_examples=50)
@given(values)
def test_nothing_has_changed_in_what_is_equal(before):
    assert changes(before, dict(before)).applied({"other": 1}) == {"other": 1}


def test_keys_that_nobody_touched_are_left_as_others_have_written_them():
    mine = changes({"cart": [1], "visits": 1, "hint": True}, {"cart": [1, 2], "visits": 1})
    theirs = {"cart": [1], "visits": 2, "hint": True, "language": "zh"}
    assert mine.applied(theirs) == {"cart": [1, 2], "visits": 2, "language": "zh"}


@pytest.mark.parametrize("before, after", [(1, True), (0, False), ([1], [1.0])])
def test_what_python_takes_for_equal_is_changed_if_its_json_is(before, after):
    assert changes({"a": before}, {"a": after}).written == {"a": after}


def test_a_tuple_is_the_list_that_it_is_kept_as():
    assert not changes({"a": [1, 2]}, {"a": (1, 2)}).written


def test_what_json_cannot_hold_is_refused_with_its_key():
    with pytest.raises(TypeError, match=r"session\['who'\] = .* cannot be kept: sessions are JSON"):
        session_text({"fine": 1, "who": object()})


@pytest.mark.parametrize("text", ["", "nonsense", "[1]", "null"])
def test_what_is_no_session_is_an_empty_one(text):
    assert values_of(text) == {}
