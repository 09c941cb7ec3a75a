"""Distributed, sharded scheduled jobs for Django."""

from scheduling.domain.errors import NoLongerYours
from scheduling.runtime.context import Context
from scheduling.runtime.handlers import job

__all__ = ["Context", "NoLongerYours", "job"]
