"""Reading cron expressions: what Quartz documents, what is refused, and the way out that is offered."""

from calendar import monthrange
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import product
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.domain.cron import MOST_CHARACTERS, parse
from scheduling.domain.errors import InvalidCronExpression

JANUARY = datetime(2026, 1, 1)


def wall_times(text: str, count: int, after: datetime = JANUARY, last_year: int = 2126) -> list[datetime]:
    expression = parse(text)
    times: list[datetime] = []
    while len(times) < count and (time := expression.next_wall_time((times or [after])[-1], last_year)):
        times.append(time)
    return times


def days(text: str, count: int, after: datetime = JANUARY) -> list[str]:
    return [f"{time:%m-%d}" for time in wall_times(f"0 0 12 {text}", count, after)]


def refusal(text: object) -> str:
    with pytest.raises(InvalidCronExpression) as caught:
        parse(text)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("L * ?", ["01-31", "02-28", "03-31"]),
        ("L-3 * ?", ["01-28", "02-25", "03-28"]),
        ("L-30 * ?", ["01-01", "03-01", "05-01"]),
        ("LW * ?", ["01-30", "02-27", "03-31"]),
        ("L-2W * ?", ["01-29", "02-26", "03-30"]),
        ("1W * ?", ["01-01", "02-02", "03-02"]),
        ("15W * ?", ["01-15", "02-16", "03-16"]),
        ("15w * ?", ["01-15", "02-16", "03-16"]),
        ("1W 8 ?", ["08-03"]),
        ("31W 5,8 ?", ["05-29", "08-31"]),
        ("28-2 1-3 ?", ["01-01", "01-02", "01-28", "01-29", "01-30", "01-31", "02-01"]),
        ("30 1-4 ?", ["01-30", "03-30", "04-30"]),
        ("? * L", ["01-03", "01-10"]),
        ("? * 6L", ["01-30", "02-27", "03-27"]),
        ("? * fril", ["01-30", "02-27", "03-27"]),
        ("? * FRI#3", ["01-16", "02-20", "03-20"]),
        ("? * 6#5", ["01-30", "05-29", "07-31"]),
        ("? * FRI-MON", ["01-02", "01-03", "01-04", "01-05", "01-09"]),
        ("? * 2/3,SAT", ["01-01", "01-03", "01-05", "01-08"]),
        ("1 NOV-FEB ?", ["01-01", "02-01", "11-01", "12-01"]),
        ("1 2,apr,*/6 ?", ["01-01", "02-01", "04-01", "07-01"]),
    ],
)
def test_each_documented_day_is_found(fields, expected):
    assert days(fields, len(expected)) == expected


def test_the_weekday_nearest_to_a_day_never_leaves_the_month():
    for year in range(1970, 2030):
        for time in wall_times("0 0 0 1W * ?", 12, datetime(year, 1, 1) - timedelta(seconds=1), year):
            assert time.day <= 3
            assert time.weekday() < 5


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("0 0 22-2", ["00:00:00", "01:00:00", "02:00:00", "22:00:00"]),
        ("58-1 0 12", ["12:00:00", "12:00:01", "12:00:58", "12:00:59"]),
        ("0 5/25 7", ["07:05:00", "07:30:00", "07:55:00"]),
        ("07 *,5 23", ["23:00:07", "23:01:07"]),
        ("0 59/15 3/20", ["03:59:00", "23:59:00"]),
        ("50-10/15 0 0", ["00:00:05", "00:00:50"]),
    ],
)
def test_each_documented_clock_time_is_found(clock, expected):
    assert [f"{time:%H:%M:%S}" for time in wall_times(f"{clock} 2 * ?", len(expected))] == expected


def test_years_are_a_list_with_ranges_and_steps():
    years = [time.year for time in wall_times("0 0 0 1 1 ? 2030,2040-2041,2100/50", 8, last_year=2199)]
    assert years == [2030, 2040, 2041, 2100, 2150]


def test_a_date_that_no_year_has_is_never_found():
    assert wall_times("0 0 0 30 2 ?", 1) == []
    assert wall_times("0 0 12 ? 2 MON#5 2031", 1) == []


def test_blanks_and_tabs_around_fields_do_not_matter():
    assert wall_times(" \t0  0\t12 * * ?\n", 3) == wall_times("0 0 12 * * ?", 3)


def test_a_text_is_read_up_to_a_limit():
    item = "0-59,"
    text = item * ((MOST_CHARACTERS - 20) // len(item)) + "1 * * * * ?"
    assert len(wall_times(text, 3)) == 3
    assert refusal(text * 2).endswith(f"at most {MOST_CHARACTERS} are read")


SPANS = ",".join(f"{a}-{b}/{c}" for a, b, c in product(range(60), range(60), range(1, 60)))
NASTY = [
    "0 0 0 30 2 ?",
    "0 0 0 31 2,4,6,9,11 ?",
    "59 59 23 29 2 ? 2025,2026,2027,2029",
    "0 0 0 ? 2 SUN#5 2190",
    SPANS[: SPANS.rindex(",", 0, 65_000)] + " * * * * ?",
    SPANS[: SPANS.rindex(",", 0, 65_000)] + " 1 1 * 1",
    ",".join(map(str, range(59))) + " " + ",".join(map(str, range(59))) + " * * * ?",
    "x" * 1_000_000,
    "0 0 0 ? * " + "," * 1_000_000,
    "* " * 500_000,
    "0 0 12 ? * " + "MON-" * 16_000,
    "0" * 65_000 + " * * * * ?",
    "/" * 65_000,
    "1/" * 32_000 + " * * * * ?",
    "A" * 65_000 + " * * * * ?",
    "0 0 12 1 " + "0," * 32_000 + " ?",
    "\u3000" * 65_000,
    "ﷺ" * 65_000,
    "*/5 * * * " + "1-5," * 16_000 + "1",
]


@pytest.mark.parametrize("text", NASTY, ids=lambda text: text[:20])
def test_no_text_takes_longer_than_fifty_milliseconds(text):
    def seconds() -> float:
        begun = process_time()
        with suppress(InvalidCronExpression):
            wall_times(text, 8)
        return process_time() - begun

    assert min(seconds() for _ in range(3)) < 0.05


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text(alphabet="0123456789*/-,?LW# \tMONJA") | st.from_regex(r"([0-9*/,?LW#-]{1,4} ){5,6}[0-9*?]"))
def test_any_text_is_read_or_refused(text):
    try:
        parse(text)
    except InvalidCronExpression as error:
        assert error.message % error.params == str(error)


BOUNDS = {0: (0, 59), 1: (0, 59), 2: (0, 23), 3: (1, 31), 4: (1, 12), 5: (1, 7)}
NAMES = {
    4: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    5: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
}


@st.composite
def number_lists(draw: st.DrawFn, place: int) -> tuple[str, set[int]]:
    """Draw a list of field `place` and the numbers it means, found by counting and not by arithmetic."""
    low, high = BOUNDS[place]
    numbers = st.integers(low, high)
    texts, meant = [], set()
    for _ in range(draw(st.integers(1, 3))):
        first, last, step = draw(numbers), draw(numbers), draw(st.integers(1, max(high, 7) if low else high))
        shape = draw(st.sampled_from(["*", "n", "n-n", "*/s", "n/s", "n-n/s", "name"]))
        if shape == "name":
            texts.append(NAMES[place][first - 1].lower() if place in NAMES else str(first))
        else:
            texts.append(shape.replace("n", str(first), 1).replace("n", str(last), 1).replace("s", str(step)))
        ends = {"*": (low, high), "*/s": (low, high), "n/s": (first, high), "n": (first, first), "name": (first, first)}
        begin, end = ends.get(shape, (first, last))
        meant |= set(ring(begin, end, low, high)[:: step if "s" in shape else 1])
    return ",".join(texts), meant


def ring(begin: int, end: int, low: int, high: int) -> list[int]:
    """Return the numbers from `begin` to `end`, beginning again at `low` after `high`."""
    found = [begin]
    while found[-1] != end:
        found.append(found[-1] + 1 if found[-1] < high else low)
    return found


@st.composite
def expressions(draw: st.DrawFn) -> tuple[str, list[set[int]]]:
    """Draw an expression of plain numbers, and the numbers that each of its six fields means."""
    drawn = [draw(number_lists(place)) for place in range(6)]
    ignored = draw(st.sampled_from([3, 5]))
    texts, meant = [text for text, _ in drawn], [numbers for _, numbers in drawn]
    texts[ignored], meant[ignored] = "?", set(range(1, 32))
    return " ".join(texts), meant


def matches(meant: list[set[int]], time: datetime) -> bool:
    shown = (time.second, time.minute, time.hour, time.day, time.month, time.isoweekday() % 7 + 1)
    return all(value in numbers for value, numbers in zip(shown, meant, strict=True))


@settings(max_examples=150, deadline=None)
@given(expressions(), st.datetimes(datetime(1970, 1, 1), datetime(2090, 1, 1)))
def test_wall_times_match_every_field_and_none_between_them_does(drawn, after):
    text, meant = drawn
    after = after.replace(microsecond=0)
    times = wall_times(text, 5, after, after.year + 100)
    assert all(matches(meant, time) for time in times)
    assert [after, *times] == sorted({after, *times})
    for begin, end in zip([after, *times], times, strict=False):
        for second in range(1, min(int((end - begin).total_seconds()), 300)):
            assert not matches(meant, begin + timedelta(seconds=second))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 7), st.integers(1, 5), st.integers(1970, 2199), st.integers(1, 12))
def test_the_nth_weekday_is_the_one_that_counting_finds(weekday, nth, year, month):
    dates = [datetime(year, month, day) for day in range(1, monthrange(year, month)[1] + 1)]
    found = [date for date in dates if date.isoweekday() % 7 + 1 == weekday][nth - 1 : nth]
    begin = datetime(year, month, 1) - timedelta(seconds=1)
    assert wall_times(f"0 0 0 ? {month} {weekday}#{nth} {year}", 2, begin, year) == found
