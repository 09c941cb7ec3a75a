"""Distributed, sharded scheduled jobs for Django."""

from scheduling.runtime.context import Context
from scheduling.runtime.handlers import job

__all__ = ["Context", "job"]
