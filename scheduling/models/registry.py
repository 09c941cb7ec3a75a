"""The registry of one machine, where there is no ZooKeeper; and what the leader saw in whichever registry there is."""

from django.db import models

from scheduling.models.job import Job


class Registration(models.Model):
    """One instance's session: ended once `seen_at` is older than the session timeout, by the database's clock."""

    instance = models.CharField(max_length=64, primary_key=True)
    document = models.JSONField()
    seen_at = models.DateTimeField()


class Leadership(models.Model):
    """Who leads; one row. `serial` grows with every change of the assignments."""

    instance = models.CharField(max_length=64, blank=True)
    epoch = models.BigIntegerField(default=0)
    serial = models.BigIntegerField(default=0)


class Assignment(models.Model):
    """One job's items: instance → ranges, as the leader of `epoch` gave them out."""

    job = models.OneToOneField(Job, models.DO_NOTHING, primary_key=True, db_constraint=False)
    epoch = models.BigIntegerField()
    document = models.JSONField()


class Snapshot(models.Model):
    """What the leader last saw in the registry, whichever it is: all that the web processes know of it. One row."""

    looked_at = models.DateTimeField()
    leader = models.CharField(max_length=64)
    epoch = models.BigIntegerField()
    document = models.JSONField()
