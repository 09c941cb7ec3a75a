"""The fields of a Quartz cron expression: which numbers each may hold, and how a list of numbers is written."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from scheduling.domain.cron_advice import count_from_one, excerpt, nearest_name
from scheduling.domain.errors import InvalidCronExpression
from scheduling.domain.errors import gettext_noop as _

MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: its place in the expression, its English name, its numbers `low` to `high`, its largest step.

    A name stands for the number of its place, counted from `low`.
    """

    number: int
    name: str
    low: int
    high: int
    most_step: int
    names: tuple[str, ...] = ()


SECONDS = Field(number=1, name=_("seconds"), low=0, high=59, most_step=59)
MINUTES = Field(number=2, name=_("minutes"), low=0, high=59, most_step=59)
HOURS = Field(number=3, name=_("hours"), low=0, high=23, most_step=23)
DAY_OF_MONTH = Field(number=4, name=_("day of month"), low=1, high=31, most_step=31)
MONTH = Field(number=5, name=_("month"), low=1, high=12, most_step=12, names=MONTH_NAMES)
DAY_OF_WEEK = Field(number=6, name=_("day of week"), low=1, high=7, most_step=7, names=WEEKDAY_NAMES)
YEAR = Field(number=7, name=_("year"), low=1970, high=2199, most_step=229)
FIELDS = (SECONDS, MINUTES, HOURS, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR)

ITEM = re.compile(r"(?:\*|(\d+|[A-Z]{3})(?:-(\d+|[A-Z]{3}))?)(?:/(\d+))?", re.ASCII | re.IGNORECASE)
ZERO = re.compile(r"(?:^|[,-])0+(?!\d)", re.ASCII)


def parse_numbers(field: Field, text: str) -> frozenset[int]:
    """Read a list such as `5,10-20,30/7` into its numbers; raise `InvalidCronExpression` that names the item."""
    check_counted_from_one(field, text)
    numbers: set[int] = set()
    for item in dict.fromkeys(text.split(",")):
        numbers.update(_parse_item(field, item))
    return frozenset(numbers)


def parse_number(field: Field, text: str) -> int:
    """Read one number or name of `field`; raise `InvalidCronExpression`."""
    if text.isdigit():
        return _in_range(field, text)
    if text.upper() in field.names:
        return field.low + field.names.index(text.upper())
    raise _unknown_name(field, text)


def check_counted_from_one(field: Field, text: str) -> None:
    """Raise `InvalidCronExpression` if weekdays or months are counted from 0, as crontab and C do."""
    if not (field.names and ZERO.search(text)):
        return
    message = _("field %(number)d (%(name)s): 0 is outside 1-7; Quartz counts SUN=1 to SAT=7: write %(fix)s")
    if field is MONTH:
        message = _("field %(number)d (%(name)s): 0 is outside 1-12; Quartz counts JAN=1 to DEC=12: write %(fix)s")
    raise refuse(field, message, fix=excerpt(count_from_one(text, field.high)))


def digits(text: str) -> int:
    """Return the number that `text` writes, or another one above a million: ten thousand digits cost nothing."""
    return int(text.lstrip("0")[:7] or "0")


def refuse(field: Field, message: str, **params: object) -> InvalidCronExpression:
    """Return the finding `message` about `field`, which it names as %(number)d (%(name)s)."""
    return InvalidCronExpression(message, number=field.number, name=field.name, **params)


def _parse_item(field: Field, item: str) -> Iterable[int]:
    match = ITEM.fullmatch(item)
    if match is None:
        raise _unreadable(field, item)
    first, last, step = match.groups()
    if first is not None and (last or step):
        _check_mixture(field, item, first, last, step)
    low = field.low if first is None else parse_number(field, first)
    open_end = field.high if first is None or step else low
    return _span(field, item, low, parse_number(field, last) if last else open_end, _step(field, step))


def _span(field: Field, item: str, low: int, high: int, step: int) -> Iterable[int]:
    if low <= high:
        return range(low, high + 1, step)
    if field is YEAR:
        raise refuse(
            field,
            _("field %(number)d (%(name)s): %(value)s runs backwards: write the earlier year first"),
            value=excerpt(item),
        )
    size = field.high - field.low + 1
    return [(number - field.low) % size + field.low for number in range(low, high + size + 1, step)]


def _step(field: Field, text: str | None) -> int:
    step = 1 if text is None else digits(text)
    if not 1 <= step <= field.most_step:
        raise refuse(
            field,
            _("field %(number)d (%(name)s): the step %(value)s is outside 1-%(high)d"),
            value=excerpt(text or ""),
            high=field.most_step,
        )
    return step


def _in_range(field: Field, text: str) -> int:
    number = digits(text)
    if field.low <= number <= field.high:
        return number
    message = _("field %(number)d (%(name)s): %(value)s is outside %(low)d-%(high)d")
    if field is HOURS and number == 24:
        message = _("field %(number)d (%(name)s): %(value)s is outside %(low)d-%(high)d: midnight is 0")
    raise refuse(field, message, value=excerpt(text), low=field.low, high=field.high)


def _check_mixture(field: Field, item: str, first: str, last: str | None, step: str | None) -> None:
    """Refuse what Quartz reads wrongly: a step after a name is ignored, a name beside a number breaks off."""
    named = [not end.isdigit() for end in (first, last) if end]
    if not any(named):
        return
    numbers = "-".join(str(parse_number(field, end)) for end in (first, last) if end)
    if step:
        message = _("field %(number)d (%(name)s): %(value)s has a step after a name: write %(fix)s")
        raise refuse(field, message, value=excerpt(item), fix=f"{numbers}/{excerpt(step)}")
    if not all(named):
        message = _("field %(number)d (%(name)s): %(value)s mixes a name and a number: write %(fix)s")
        raise refuse(field, message, value=excerpt(item), fix=numbers)


def _unknown_name(field: Field, word: str) -> InvalidCronExpression:
    suggestion = "" if word.upper() in MONTH_NAMES + WEEKDAY_NAMES else nearest_name(word, field.names)
    if suggestion:
        message = _("field %(number)d (%(name)s): %(value)s is not a name: did you mean %(fix)s?")
        return refuse(field, message, value=excerpt(word), fix=suggestion)
    if field.names:
        message = _("field %(number)d (%(name)s): %(value)s is not a name: use %(low)s-%(high)s")
        return refuse(field, message, value=excerpt(word), low=field.names[0], high=field.names[-1])
    message = _("field %(number)d (%(name)s): %(value)s is not a number: use %(low)d-%(high)d")
    return refuse(field, message, value=excerpt(word), low=field.low, high=field.high)


def _unreadable(field: Field, item: str) -> InvalidCronExpression:
    head = item[:80]
    for word in re.findall("[A-Z]+", head, re.ASCII | re.IGNORECASE) if field.names else ():
        if not _is_name_or_special(field, word.upper()):
            return _unknown_name(field, word)
    mistakes = ((re.search(pattern, head, re.ASCII | re.IGNORECASE), message) for pattern, message in _MISTAKES)
    match, message = next((match, message) for match, message in mistakes if match)
    params = {"digits": excerpt("".join(match.groups())), "low": field.low, "high": field.high}
    return refuse(field, message, value=excerpt(item), **params)


def _is_name_or_special(field: Field, word: str) -> bool:
    return word.removesuffix("L") in field.names or set(word) <= set("LW")


_MISTAKES = (
    (r"^$", _("field %(number)d (%(name)s): a list has an empty place: remove the comma too many")),
    (
        r"\?",
        _(
            "field %(number)d (%(name)s): %(value)s cannot stand here: ? is alone in field 4 (day of month) "
            "or field 6 (day of week), and every value is *"
        ),
    ),
    (r"^\*?/?(\d+)$", _("field %(number)d (%(name)s): %(value)s is not a step: write */%(digits)s")),
    (r"/(?!\d)", _("field %(number)d (%(name)s): a number must follow the / of %(value)s, as in */5")),
    (r"^-\d", _("field %(number)d (%(name)s): %(value)s is negative: use %(low)d-%(high)d")),
    (
        r"^L(?:-\d*)?W?$|^(?:\d+|[A-Z]{3})L",
        _(
            "field %(number)d (%(name)s): %(value)s cannot stand here: L means a last day, "
            "alone in field 4 (day of month) as in L, L-3, LW or in field 6 (day of week) as in 6L"
        ),
    ),
    (
        r"\dW|^W",
        _(
            "field %(number)d (%(name)s): %(value)s cannot stand here: W means the weekday nearest to one day, "
            "alone in field 4 (day of month) as in 15W"
        ),
    ),
    (
        r"#",
        _(
            "field %(number)d (%(name)s): %(value)s cannot stand here: # means the first to fifth of one weekday, "
            "alone in field 6 (day of week) as in FRI#3"
        ),
    ),
    (
        r"",
        _("field %(number)d (%(name)s): %(value)s is not a number, a range as in %(low)d-%(high)d or a step as in */2"),
    ),
)
