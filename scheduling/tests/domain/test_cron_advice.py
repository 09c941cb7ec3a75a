"""The findings about cron expressions: each names the field, the value and the way out."""

import re

import pytest

from scheduling.domain.cron import parse
from scheduling.domain.errors import InvalidCronExpression


def refusal(text: object) -> str:
    with pytest.raises(InvalidCronExpression) as caught:
        parse(text)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("60 * * * * ?", "field 1 (seconds): 60 is outside 0-59"),
        ("0 0 24 * * ?", "field 3 (hours): 24 is outside 0-23: midnight is 0"),
        ("0 0 12 32 * ?", "field 4 (day of month): 32 is outside 1-31"),
        ("0 0 12 * * ? 1969", "field 7 (year): 1969 is outside 1970-2199"),
        ("0 */60 * * * ?", "field 2 (minutes): the step 60 is outside 1-59"),
        ("0 0/0 * * * ?", "field 2 (minutes): the step 0 is outside 1-59"),
        ("0 0 12 ? * 1-7/8", "field 6 (day of week): the step 8 is outside 1-7"),
        ("0 0 12 L-31 * ?", "field 4 (day of month): L-31 is before the month begins: use L-1 to L-30"),
        ("0 0 12 ? * 6#6", "field 6 (day of week): #6 is outside #1-#5: a month has at most five of one weekday"),
        ("0 0 12 * * ? 2030-2025", "field 7 (year): 2030-2025 runs backwards: write the earlier year first"),
        ("0 0 12 1,,15 * ?", "field 4 (day of month): a list has an empty place: remove the comma too many"),
        ("0 0 12 -1 * ?", "field 4 (day of month): -1 is negative: use 1-31"),
        ("x * * * * ?", "field 1 (seconds): x is not a number, a range as in 0-59 or a step as in */2"),
        ("0 0 12 * * ? * *", "field 8 is one too many: *: remove what follows field 7 (year)"),
    ],
)
def test_what_is_out_of_range_is_named_with_its_range(text, message):
    assert refusal(text) == message


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("0 5 * * *", "write 0 0 5 * * ?"),
        ("*/10 8-18 * * 1-5", "write 0 */10 8-18 ? * 2-6"),
        ("0 0 * * 0-7", "write 0 0 0 ? * 1-7"),
        ("0 0 * * 5-7", "write 0 0 0 ? * 6-1"),
        ("0 0 * * mon,3", "write 0 0 0 ? * mon,4"),
        ("0 0 1 * 0", "make two jobs: 0 0 0 1 * ? and 0 0 0 ? * 1"),
        ("0 5 * * 1 /usr/bin/backup --all", "write 0 0 5 ? * 2"),
        ("@daily", "write 0 0 0 * * ?"),
        ("@Weekly", "write 0 0 0 ? * SUN"),
        ("0 0 12 * * *", "One of them must be ?: write 0 0 12 * * ?"),
        ("0 0 12 * * MON-FRI", "One of them must be ?: write 0 0 12 ? * MON-FRI"),
        ("0 0 12 1 * MON", "One of them must be ?: write 0 0 12 1 * ? or 0 0 12 ? * MON, or make a job of each"),
        ("0 0 12 ? * ?", "write 0 0 12 * * ?"),
        ("0 0 12 ? * 0", "write 1"),
        ("0 0 12 ? * 0-6", "write 1-7"),
        ("0 0 12 ? * 0L", "write 1L"),
        ("0 0 12 1 0-11 ?", "write 1-12"),
        ("0 0 12 1 0/3 ?", "write 1/3"),
        ("0 0 12 ? * WEB", "did you mean WED?"),
        ("0 0 12 ? * Monday", "did you mean MON?"),
        ("0 0 12 1 Sept ?", "did you mean SEP?"),
        ("0 0 12 ? * MON-FRI/2", "write 2-6/2"),
        ("0 0 12 1 JAN/3 ?", "write 1/3"),
        ("0 0 12 1 1-MAR ?", "write 1-3"),
        ("0 0 12 /5 * ?", "write */5"),
        ("0 *5 * * * ?", "write */5"),
    ],
)
def test_the_fix_is_offered(text, fix):
    assert refusal(text).endswith(fix)


@pytest.mark.parametrize(
    "text",
    [
        "0 0 12 L,15 * ?",
        "0 0 12 15W,20W * ?",
        "0 0 12 1-5W * ?",
        "0 0 12 0W * ?",
        "0 0 12 5L * ?",
        "0 0 12 LL * ?",
        "0 0 12 L- * ?",
        "0 0 12 5#3 * ?",
        "0 0 12 ? * MON#1,FRI",
        "0 0 12 ? * 6L,3",
        "0 0 12 ? * MONL,3",
        "0 0 12 ? * LW",
        "0 0 12 ? * L-3",
        "0 0 12 ? * 1-5#2",
        "0 0 12 ? * #2",
        "0 0 12 ? * 15W",
        "0 L * * * ?",
        "0 0 12 ?,1 * MON",
        "0 0 12 ? * MON-WED-FRI",
        "0 0 12 1-5-9 * ?",
        "0 0 9-17/2-3 * * ?",
        "? * * * * ?",
        "H * * * * ?",
        "0 0 12 C * ?",
        "0 0 12 1 MON ?",
        "0 0 12 ? * MÖN",
        "٣ * * * * ?",
        "\0 * * * * ?",
        "0\n0\n12\n*\n*\n?",
        "9" * 5_000 + " * * * * ?",
    ],
)
def test_what_quartz_does_not_document_is_refused_by_its_field(text):
    assert re.match(r"field \d \([a-z ]+\): ", refusal(text))


def test_a_missing_field_is_named():
    assert refusal("0 0 12 1").startswith("field 5 (month) is missing")
    assert refusal(" ").startswith("field 1 (seconds) is missing")
    assert refusal("8 9 18 L APR-JUN").startswith("field 6 (day of week) is missing")


def test_full_width_spaces_are_shown_as_the_plain_line():
    assert refusal("0\u30000\u300012\u3000*\u3000*\u3000?").endswith("has the character U+3000: write 0 0 12 * * ?")


def test_what_is_not_text_is_refused():
    values: tuple[object, ...] = (None, 5, b"0 0 12 * * ?", ["0"], {})
    for value in values:
        assert type(value).__name__ in refusal(value)


def test_messages_stay_short_and_visible_whatever_they_quote():
    for text in ("9" * 60_000, "0 0 12 1 * " + "\x01" * 60_000, "0 0 12 ? * " + "MON," * 9_000, "1 " * 30_000):
        message = refusal(text + " * * * * ?")
        assert len(message) < 400
        assert message.isprintable()
