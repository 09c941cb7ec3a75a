"""`manage.py jobs` as tests use it: one handler, no job, and what the command writes."""

import io
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command

from scheduling import job
from scheduling.database import configuration
from scheduling.models import Job
from scheduling.runtime.handlers import HANDLERS


@contextmanager
def only_one_handler():
    """Declare nothing but `work`, without its job."""
    Job.objects.all().delete()
    with patch.dict(HANDLERS, clear=True):
        job("work")(work)
        yield


def work(context):
    pass


def save(name="work", **fields):
    """Save a job that runs only when somebody asks, unless the fields say otherwise."""
    row = Job(**({"name": name, "handler": "work", "trigger_kind": "manual"} | fields))
    configuration.save(row)
    return row


def jobs(*arguments, command="jobs"):
    """Run the command and return what it wrote."""
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, stderr=out)
    return out.getvalue()


def refusal(*arguments, command="jobs"):
    """Run a command that is refused and return its exit code and message."""
    with pytest.raises(CommandError) as refused:
        jobs(*arguments, command=command)
    return refused.value.returncode, str(refused.value)


def squeezed(output):
    """Return the lines of a table with two blanks between cells."""
    return ["  ".join(part.strip() for part in line.split("  ") if part.strip()) for line in output.splitlines()]
