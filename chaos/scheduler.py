"""One scheduler of the rig: `manage.py runscheduler`, in a program that can hand it a wall clock of the rig's."""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chaos.settings")
    execute_from_command_line(["manage.py", "runscheduler", *sys.argv[1:]])


def wall_clock() -> datetime:
    """Return the machine's time, shifted by the seconds that the file of this node names."""
    file = Path(os.environ["CHAOS_SHIFT"])
    shift = float(file.read_text() or 0) if file.exists() else 0.0
    return datetime.now(UTC) + timedelta(seconds=shift)


if __name__ == "__main__":
    main()
