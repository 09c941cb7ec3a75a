"""The job as people configure it."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from scheduling.domain import job as domain
from scheduling.domain.daylight import find_zone
from scheduling.domain.errors import InvalidCronExpression, InvalidJob, SchedulingError, UnknownTimeZone
from scheduling.domain.retention import check_keep_days, check_keep_fires
from scheduling.domain.retry import Backoff, Retry, check_delay, check_longest_delay, check_retries
from scheduling.domain.strategies import strategy_named
from scheduling.domain.trigger import CronTrigger, DateTrigger, IntervalTrigger, ManualTrigger, Trigger, check_interval
from scheduling.models.strategy import STRATEGIES, StrategyField

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TriggerKind(models.TextChoices):
    """What tells a job's fire times."""

    CRON = "cron", _("cron expression")
    INTERVAL = "interval", _("fixed interval")
    DATE = "date", _("one date")
    MANUAL = "manual", _("only when somebody asks")


TRIGGER_FIELDS: dict[str, str] = {
    TriggerKind.CRON: "cron",
    TriggerKind.INTERVAL: "interval",
    TriggerKind.DATE: "at",
    TriggerKind.MANUAL: "trigger_kind",
}
"""The field that an error of each kind of trigger is shown at."""


class Dst(models.TextChoices):
    """What a cron trigger makes of daylight saving."""

    ONCE = "once", _("every fixed time fires once")
    QUARTZ = "quartz", _("as Quartz does")


MISFIRES = {
    domain.Misfire.SKIP.value: _("Skip"),
    domain.Misfire.FIRE_ONCE.value: _("Fire once"),
    domain.Misfire.FIRE_ALL.value: _("Fire all"),
}


BACKOFFS = {
    Backoff.FIXED.value: _("the same each time"),
    Backoff.EXPONENTIAL.value: _("doubled each time"),
}

ISOLATIONS = {
    domain.Isolation.THREAD.value: _("a thread of the scheduler"),
    domain.Isolation.PROCESS.value: _("a process of its own"),
}

ON_TIMEOUTS = {
    domain.OnTimeout.CANCEL.value: _("tell the handler to stop"),
    domain.OnTimeout.KILL.value: _("kill its process"),
}


def default_time_zone() -> str:
    """Return the project's zone, for new jobs."""
    return str(settings.TIME_ZONE)


class Job(models.Model):
    """Named recurring work. Rows are saved through `scheduling.database.configuration`, which raises the revision."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    description = models.CharField(_("description"), max_length=255, blank=True)
    handler = models.CharField(_("handler"), max_length=100)
    enabled = models.BooleanField(_("enabled"), default=True)
    trigger_kind = models.CharField(_("trigger"), max_length=10, choices=TriggerKind.choices, default=TriggerKind.CRON)
    cron = models.CharField(_("cron expression"), max_length=255, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, default=default_time_zone)
    dst = models.CharField(_("daylight saving"), max_length=10, choices=Dst.choices, default=Dst.ONCE)
    interval = models.PositiveIntegerField(_("interval in seconds"), null=True, blank=True)
    at = models.DateTimeField(_("date"), null=True, blank=True)
    sharding_total_count = models.PositiveIntegerField(_("sharding total count"), default=1)
    item_parameters = models.TextField(_("item parameters"), blank=True)
    strategy = StrategyField(_("sharding strategy"), max_length=200, choices=STRATEGIES, default="sticky")
    misfire = models.CharField(
        _("misfire policy"), max_length=10, choices=MISFIRES, default=domain.Misfire.FIRE_ONCE.value
    )
    fire_all_most = models.PositiveIntegerField(_("fire all: at most"), default=domain.FIRE_ALL_MOST)
    fire_all_age = models.PositiveIntegerField(_("fire all: maximum age in seconds"), default=domain.FIRE_ALL_AGE)
    failover = models.BooleanField(_("failover"), default=True)
    retries = models.PositiveIntegerField(_("retries"), default=0)
    retry_delay = models.PositiveIntegerField(_("retry delay in seconds"), default=Retry().delay)
    retry_backoff = models.CharField(_("retry delay is"), max_length=12, choices=BACKOFFS, default=Backoff.FIXED.value)
    retry_delay_most = models.PositiveIntegerField(_("longest retry delay in seconds"), default=Retry().delay_most)
    retry_elsewhere = models.BooleanField(_("retry on another instance"), default=True)
    timeout = models.PositiveIntegerField(_("timeout in seconds"), null=True, blank=True)
    on_timeout = models.CharField(
        _("at the timeout"), max_length=10, choices=ON_TIMEOUTS, default=domain.OnTimeout.CANCEL.value
    )
    isolation = models.CharField(
        _("isolation"), max_length=10, choices=ISOLATIONS, default=domain.Isolation.THREAD.value
    )
    keep_days = models.PositiveIntegerField(_("keep fires for days"), null=True, blank=True)
    keep_fires = models.PositiveIntegerField(_("keep at most so many fires"), null=True, blank=True)
    changed_fields = models.JSONField(default=list, blank=True, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ("name",)
        permissions = (("run_job", "Can run jobs now"),)

    def __str__(self) -> str:
        return self.name

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Check what `clean` leaves to Django; of numbers the domain knows the limits."""
        numbers = {field.name for field in self._meta.get_fields() if isinstance(field, models.IntegerField)}
        super().clean_fields(numbers.union(exclude or ()))

    def clean(self) -> None:
        """Check every field against the domain's rules; an error names the value and the way out."""
        errors: dict[str, ValidationError] = {}
        for field, check in self._checks().items():
            if field == "item_parameters" and "sharding_total_count" in errors:
                continue  # which items there are is not known
            try:
                check()
            except UnknownTimeZone as error:
                errors["time_zone"] = as_validation_error(error)
            except SchedulingError as error:
                errors[field] = as_validation_error(error)
            except (TypeError, ValueError):
                continue  # of another type than the field's, which says so itself
        if errors:
            raise ValidationError(errors)

    def trigger(self, anchor: datetime = EPOCH) -> Trigger:
        """Return the domain's trigger; raise `InvalidJob`. Intervals count from `anchor`."""
        match self.trigger_kind:
            case TriggerKind.CRON:
                return CronTrigger(expression=self.cron, time_zone=self.time_zone, dst=self.dst)
            case TriggerKind.INTERVAL:
                return IntervalTrigger(seconds=self._seconds(), anchor=anchor)
            case TriggerKind.DATE:
                return DateTrigger(at=self._date())
            case _:
                return ManualTrigger()

    def trigger_at(self, now: datetime) -> Trigger:
        """Return the trigger as it counts, or, of a job that is not enabled, as it would if it were enabled `now`."""
        cursor = getattr(self, "cursor", None)
        return self.trigger((cursor.anchor if cursor and cursor.enabled else None) or now)

    def never_fires_after(self, now: datetime) -> bool:
        """Is the job enabled and not left to people, although its trigger names no time any more?"""
        return self.enabled and self.trigger_kind != TriggerKind.MANUAL and self.trigger(now).next(now) is None

    def parsed_parameters(self) -> dict[int, str]:
        """Return {item: parameter}; raise `InvalidJob`."""
        return domain.parse_item_parameters(self.item_parameters, self.sharding_total_count)

    def as_domain(self) -> domain.Job:
        """Return the job as the floors below know it; reads the cursor. Raise `ValueError`, mostly `InvalidJob`.

        Its strategy is not asked for: whether it can be followed is the leader's to see, whose code may be older. How
        long its fires are kept no instance needs to know.
        """
        for field, check in self._checks().items():
            if field not in ("strategy", "keep_days", "keep_fires"):
                check()
        return domain.Job(
            name=self.name,
            handler=self.handler,
            trigger=self.trigger(self.cursor.anchor or EPOCH),
            sharding_total_count=self.sharding_total_count,
            item_parameters=self.parsed_parameters(),
            strategy=self.strategy,
            misfire=domain.Misfire(self.misfire),
            fire_all_most=self.fire_all_most,
            fire_all_age=self.fire_all_age,
            failover=self.failover,
            retry=self._retry(),
            timeout=self.timeout,
            on_timeout=domain.OnTimeout(self.on_timeout),
            isolation=domain.Isolation(self.isolation),
            enabled=self.cursor.enabled,
            revision=self.cursor.revision,
        )

    def _retry(self) -> Retry:
        return Retry(
            most=self.retries,
            delay=self.retry_delay,
            backoff=Backoff(self.retry_backoff),
            delay_most=self.retry_delay_most,
            elsewhere=self.retry_elsewhere,
        )

    def _date(self) -> datetime:
        if self.at is None:
            raise InvalidJob(gettext_noop("give the date at which the job fires"))
        return self.at

    def _seconds(self) -> int:
        if self.interval is None:
            raise InvalidJob(gettext_noop("give the interval: a whole number of seconds"))
        return self.interval

    def _checks(self) -> dict[str, Callable[[], object]]:
        return {
            "name": lambda: domain.check_name(self.name),
            "time_zone": lambda: find_zone(self.time_zone),
            "interval": lambda: check_interval(self.interval),
            TRIGGER_FIELDS.get(self.trigger_kind, "trigger_kind"): self.trigger,
            "sharding_total_count": lambda: domain.check_sharding_total_count(self.sharding_total_count),
            "item_parameters": self.parsed_parameters,
            "strategy": lambda: strategy_named(self.strategy),
            "fire_all_most": lambda: domain.check_fire_all_most(self.fire_all_most),
            "fire_all_age": lambda: domain.check_fire_all_age(self.fire_all_age),
            "retries": lambda: check_retries(self.retries),
            "retry_delay": lambda: check_delay(self.retry_delay),
            "retry_delay_most": lambda: check_longest_delay(
                self.retry_delay_most, self.retry_delay, self.retry_backoff
            ),
            "timeout": lambda: domain.check_timeout(self.timeout),
            "on_timeout": lambda: domain.check_on_timeout(self.on_timeout, self.isolation),
            "keep_days": lambda: check_keep_days(self.keep_days),
            "keep_fires": lambda: check_keep_fires(self.keep_fires),
        }


def as_validation_error(error: SchedulingError) -> ValidationError:
    """Return the finding as Django's forms show it, in the reader's language."""
    params = error.params
    if isinstance(error, InvalidCronExpression) and "name" in params:
        params = params | {"name": gettext(str(params["name"]))}  # the field's; other values are what people wrote
    return ValidationError(gettext(error.message), params=params)
