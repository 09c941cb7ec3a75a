"""What a command owes whoever reads it: that it waits is said, and that nobody reads any more is no error."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import OutputWrapper
from django.utils.translation import gettext as _

WAITS_SILENTLY = 3.0


@contextmanager
def quiet_when_closed(output: OutputWrapper) -> Iterator[None]:
    """End the process quietly, with exit code 1, where `output` is a pipe that its reader has closed."""
    try:
        yield
        output.flush()
    except BrokenPipeError:
        # What is still buffered is written at the interpreter's end, which would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


@contextmanager
def says_that_it_waits(output: OutputWrapper) -> Iterator[None]:
    """Write one line if what is done takes longer than three seconds, as where others have locked the database."""
    said = _("waiting for the database: somebody else keeps it locked, or it is slow to answer")
    timer = threading.Timer(WAITS_SILENTLY, lambda: output.write(said))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
