"""Every finding a floor can raise, in one tree under `SchedulingError`."""


def gettext_noop(message: str) -> str:
    """Mark a message for the catalogues; the Django floor translates it when a person sees it."""
    return message


_ = gettext_noop


class SchedulingError(Exception):
    """A finding: `message` is a %-template in English, `params` the values it names.

    `str(error)` is the English sentence; Django's `ValidationError(message, params=params)` takes both as they are.
    """

    def __init__(self, message: str, **params: object) -> None:
        super().__init__(message % params if params else message)
        self.message = message
        self.params = params


class InvalidJob(SchedulingError, ValueError):
    """A job's configuration cannot be meant as it stands."""


class InvalidCronExpression(InvalidJob):
    """A cron expression that Quartz's documentation does not allow; the message names the field and the fix."""


class UnknownTimeZone(InvalidJob):
    """A time zone that is not in the IANA database."""

    def __init__(self, name: str) -> None:
        super().__init__(
            _("%(name)s is not an IANA time zone: write one like UTC, Asia/Shanghai or Europe/Berlin"), name=repr(name)
        )


class InvalidAddress(SchedulingError, ValueError):
    """A registry cannot be where its URL says."""


class RegistryUnavailable(SchedulingError):
    """The registry gave no answer, so nobody knows who is alive; start nothing once the lease has ended."""


class SessionExpired(SchedulingError):
    """The registry has let this instance's registration expire; register again."""


class ForeignDocument(SchedulingError, ValueError):
    """The registry keeps a document that none of us has written, or one that is too big to be kept."""


class LedgerUnavailable(SchedulingError):
    """The ledger gave no answer: what was asked may have happened or not; read before doing it again."""


class BrokenLedger(SchedulingError):
    """The ledger contradicts itself, as after a restore or a bug; nothing was written."""


class InstanceDead(SchedulingError):
    """This instance has been declared dead; its id starts nothing any more."""


class NoLongerYours(SchedulingError):
    """The item has gone to another attempt; what was written in this transaction has been rolled back."""


class UnknownJob(SchedulingError):
    """No job of this name, or it is retired."""

    def __init__(self, name: str) -> None:
        super().__init__(_("there is no job %(name)s: `manage.py jobs list` shows them all"), name=repr(name))


class ClockAhead(SchedulingError):
    """The ledger's clock is far ahead: what is saved by it would not fire before it is that time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            _("the database's clock is %(seconds)d s ahead of this machine's: set both right, and do it again"),
            seconds=round(seconds),
        )


class JobDisabled(SchedulingError):
    """A disabled job runs nothing, also by hand."""

    def __init__(self, name: str) -> None:
        super().__init__(_("%(name)s is disabled: enable it first"), name=name)


class UnknownHandler(InvalidJob):
    """No code has declared this handler."""

    def __init__(self, name: str) -> None:
        super().__init__(
            _("no code declares the handler %(name)s: write @job(%(name)s, …) in an installed app's jobs.py"),
            name=repr(name),
        )


class TransactionLeftOpen(SchedulingError):
    """A handler ended without ending its transaction."""

    def __init__(self, alias: str) -> None:
        super().__init__(
            _(
                "the handler left a transaction open on database %(alias)s: what it wrote there is undone; "
                "use “with transaction.atomic():”, or context.atomic()"
            ),
            alias=repr(alias),
        )


class AutocommitOff(SchedulingError):
    """A transaction of the fence would not be committed at its end."""

    def __init__(self) -> None:
        super().__init__(_("autocommit is off, so that nothing would be committed: call set_autocommit(True) first"))


class InvalidProgress(SchedulingError, ValueError):
    """A handler reported progress that cannot be meant."""


class BadResult(SchedulingError):
    """A handler returned what cannot be kept as its execution's message."""

    def __init__(self, value: object) -> None:
        super().__init__(
            _("the handler returned %(value)s (%(type)s): return nothing, or a text to keep as the message"),
            value=repr(value)[:80],
            type=type(value).__name__,
        )
