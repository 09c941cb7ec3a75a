"""The ledger: one row for every fire time, one for every start. Only `scheduling.database` writes here.

Foreign keys have no constraint in the database, so that a lock on one table never takes one on another. `live` and
`unsettled` are True or NULL: the index over the rows that still matter stays small whatever the history.
"""

from django.db import models
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from scheduling.domain.fire import ExecutionState, FireState, Reason
from scheduling.domain.retry import TAKE_OVERS_MOST
from scheduling.models.job import Job

FIRE_STATES = {
    FireState.OPEN.value: _("open"),
    FireState.SUCCEEDED.value: _("succeeded"),
    FireState.PARTLY_FAILED.value: _("partly failed"),
    FireState.FAILED.value: _("failed"),
    FireState.SKIPPED.value: _("skipped"),
    FireState.COALESCED.value: _("coalesced"),
}

EXECUTION_STATES = {
    ExecutionState.PENDING.value: _("pending"),
    ExecutionState.RUNNING.value: _("running"),
    ExecutionState.WAITING.value: _("waiting"),
    ExecutionState.SUCCEEDED.value: _("succeeded"),
    ExecutionState.FAILED.value: _("failed"),
    ExecutionState.LOST.value: _("lost"),
    ExecutionState.KILLED.value: _("killed"),
    ExecutionState.CANCELLED.value: _("cancelled"),
}

REASONS = {
    Reason.NOBODY_WAS_UP.value: _("nobody was up"),
    Reason.STILL_RAN.value: _("the item still ran"),
    Reason.EDITED.value: _("the job was edited"),
    Reason.DISABLED.value: _("the job was disabled"),
    Reason.RETIRED.value: _("the job was retired"),
    Reason.TOO_OLD.value: _("too many or too old to catch up"),
    Reason.COALESCED.value: _("coalesced into a later fire"),
    Reason.RAISED.value: _("the handler raised an exception"),
    Reason.BAD_RESULT.value: _("the handler returned what is not a text"),
    Reason.INSTANCE_DIED.value: _("its instance died"),
    Reason.TIMED_OUT.value: _("its time was over"),
    Reason.PROCESS_DIED.value: _("its process died"),
}


class Kind(models.TextChoices):
    """Who asked for a fire."""

    SCHEDULED = "scheduled", _("the trigger")
    MANUAL = "manual", _("a person")


class Instance(models.Model):
    """One `runscheduler` process of any time; its row is what a claim locks first, and what its death is written to."""

    id = models.CharField(_("instance"), max_length=64, primary_key=True)
    host = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process id"))
    tzdata = models.CharField(_("time zone data"), max_length=20, blank=True)
    started_at = models.DateTimeField(_("started"))
    joined_at = models.DateTimeField(_("joined"), null=True)
    died_at = models.DateTimeField(_("ended"), null=True)
    died_by = models.CharField(_("declared by"), max_length=64, blank=True)
    seen = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("instance")
        verbose_name_plural = _("instances")

    def __str__(self) -> str:
        return self.id


class Cursor(models.Model):
    """How far a job is accounted for; apart from `Job`, so that saving a form cannot move it."""

    job = models.OneToOneField(Job, models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="cursor")
    revision = models.BigIntegerField(default=0)
    enabled = models.BooleanField()
    counted_to = models.DateTimeField()
    anchor = models.DateTimeField(null=True)


class Item(models.Model):
    """A sharding item over all fires: its token counter, and the execution that holds it now. Kept for ever."""

    job = models.ForeignKey(Job, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="items")
    number = models.PositiveIntegerField()
    token = models.BigIntegerField(default=0)
    # Not unique: MariaDB would lock gaps to look for duplicates, and claims of neighbours could deadlock.
    execution_id = models.BigIntegerField(null=True, db_index=True)
    instance_id = models.CharField(max_length=64, null=True, db_index=True)  # NULL is "free"

    class Meta:
        constraints = (models.UniqueConstraint(fields=("job", "number"), name="scheduling_one_item"),)


class Fire(models.Model):
    """One job at one fire time and one run, or the one row for several fire times that did not run."""

    job = models.ForeignKey(Job, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("job"))
    fire_time = models.DateTimeField(_("fire time"))
    run = models.BigIntegerField(_("run"), default=0)
    kind = models.CharField(_("asked for by"), max_length=10, choices=Kind.choices, default=Kind.SCHEDULED)
    asked_by = models.CharField(_("who asked"), max_length=150, blank=True)
    revision = models.BigIntegerField(_("revision"))
    total = models.PositiveIntegerField(_("sharding total count"))
    parameters = models.JSONField(_("item parameters"), default=dict)
    state = models.CharField(_("state"), max_length=20, choices=FIRE_STATES)
    reason = models.CharField(_("reason"), max_length=20, choices=REASONS, blank=True)
    missed_count = models.PositiveIntegerField(_("fire times"), default=0)
    first_missed = models.DateTimeField(_("first fire time"), null=True)
    coalesced_into = models.ForeignKey(
        "self", models.DO_NOTHING, db_constraint=False, db_index=False, null=True, verbose_name=_("coalesced into")
    )
    request = models.BigIntegerField(null=True)
    opened_at = models.DateTimeField(_("opened"))
    opener = models.CharField(_("opened by"), max_length=64, blank=True)
    settled_at = models.DateTimeField(_("settled"), null=True)
    unsettled = models.BooleanField(null=True)

    class Meta:
        verbose_name = _("fire")
        verbose_name_plural = _("fires")
        constraints = (
            models.UniqueConstraint(fields=("job", "fire_time", "run"), name="scheduling_one_fire"),
            models.UniqueConstraint(fields=("job", "request"), name="scheduling_one_request"),
        )
        indexes = (
            models.Index(fields=("unsettled", "id"), name="scheduling_unsettled"),
            models.Index(fields=("job", "settled_at"), name="scheduling_settled"),
        )

    def __str__(self) -> str:
        return f"{self.job} {self.fire_time:%Y-%m-%d %H:%M:%S} UTC"


class Execution(models.Model):
    """One sharding item of one fire."""

    fire = models.ForeignKey(Fire, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("fire"))
    job = models.ForeignKey(Job, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("job"))
    item = models.PositiveIntegerField(_("sharding item"))
    state = models.CharField(_("state"), max_length=10, choices=EXECUTION_STATES)
    live = models.BooleanField(null=True)
    due_at = models.DateTimeField(_("due"))
    attempt = models.PositiveIntegerField(_("attempts"), default=0)
    failures = models.PositiveIntegerField(_("failed attempts"), default=0)
    deaths = models.PositiveIntegerField(default=0)  # of instances that ran it, and were not asked to end
    token = models.BigIntegerField(_("fencing token"), null=True)
    instance_id = models.CharField(_("instance"), max_length=64, null=True)  # NULL is "nobody"
    claim = models.CharField(max_length=40, null=True)  # NULL is "never claimed"
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    progress_done = models.BigIntegerField(_("done"), null=True)
    progress_total = models.BigIntegerField(_("of"), null=True)
    reason = models.CharField(_("reason"), max_length=20, choices=REASONS, blank=True)
    message = models.TextField(_("message"), blank=True)

    class Meta:
        verbose_name = _("execution")
        verbose_name_plural = _("executions")
        constraints = (models.UniqueConstraint(fields=("fire", "item"), name="scheduling_one_execution"),)
        indexes = (models.Index(fields=("live", "job", "item", "due_at"), name="scheduling_live"),)

    def __str__(self) -> str:
        return gettext("%(job)s item %(item)s") % {"job": self.fire, "item": self.item}

    def why(self) -> str:
        """Say why it did not run, or failed; nothing if it has no reason."""
        if self.reason == Reason.INSTANCE_DIED and self.deaths > TAKE_OVERS_MOST:
            return ngettext(
                "given up: %(count)s instance died of it", "given up: %(count)s instances died of it", self.deaths
            ) % {"count": self.deaths}
        return self.get_reason_display()


class Fence(models.Model):
    """The largest token under which an item has written into this database; used where that is not the ledger's own."""

    job = models.CharField(max_length=100)
    item = models.PositiveIntegerField()
    token = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("job", "item"), name="scheduling_one_fence"),)


IS_LIVE = models.Q(live__in=(True,))
IS_UNSETTLED = models.Q(unsettled__in=(True,))
"""Of live=True Django makes `WHERE live`, for which SQLite uses no index, and reads the whole history."""


class Marker(models.Model):
    """That the function `name` of one execution's `context.once` has been done."""

    execution_id = models.BigIntegerField()
    name = models.CharField(max_length=100)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("execution_id", "name"), name="scheduling_once"),)
