"""How a log line looks."""

import logging
import time
from typing import Any


class UTCFormatter(logging.Formatter):
    """Write the time in UTC with milliseconds, as in 2026-11-24T06:11:02.345Z."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"


def logging_to_stderr(level: str) -> dict[str, Any]:
    """Return a `LOGGING` that sends every logger's records to stderr, one line each."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": UTCFormatter, "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {"django": {"handlers": [], "level": level}},
    }
