"""How states look: a shape, a word and a tone, in this order of trust."""

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString

SHAPES = {"open": "running", "cancelled": "skipped"}
"""States that borrow the shape of another; all others have their own in `icons.html`."""


def state_cell(state: str, word: str | Promise) -> SafeString:
    """Return the state as tables show it."""
    return format_html('<span class="sc-state is-{}">{} {}</span>', state, icon(SHAPES.get(state, state)), word)


def warning(word: str | Promise) -> SafeString:
    """Return words that ask for attention."""
    return state_cell("warn", word)


def icon(shape: str) -> SafeString:
    """Return a shape of the sprite; a word always stands beside it."""
    return format_html('<svg class="sc-i" aria-hidden="true"><use href="#i-{}"/></svg>', shape)


def lines(first: str | Promise, second: str | Promise = "") -> SafeString:
    """Return a cell's text and the quiet line below it."""
    return format_html("{}<small>{}</small>", first, second) if second else format_html("{}", first)
