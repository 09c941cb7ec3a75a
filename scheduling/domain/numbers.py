"""The one rule about numbers that people and code give."""

from scheduling.domain.cron_advice import excerpt
from scheduling.domain.errors import InvalidJob
from scheduling.domain.errors import gettext_noop as _


def check_number(value: object, least: int, most: int) -> None:
    """Raise `InvalidJob` that names the value and the limits unless it is a whole number from `least` to `most`."""
    if type(value) is not int or not least <= value <= most:  # True is no number
        raise InvalidJob(
            _("%(value)s is not a whole number from %(least)s to %(most)s"),
            value=excerpt(repr(value)),
            least=least,
            most=most,
        )
