"""The pages of Django's admin: jobs are edited here; fires, executions and instances are looked at."""

from scheduling.admin.execution import ExecutionAdmin
from scheduling.admin.fire import FireAdmin
from scheduling.admin.instance import InstanceAdmin
from scheduling.admin.job import JobAdmin

__all__ = ["ExecutionAdmin", "FireAdmin", "InstanceAdmin", "JobAdmin"]
