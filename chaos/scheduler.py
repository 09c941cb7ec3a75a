"""One scheduler of the rig: `manage.py runscheduler`, in a program that hands it a wall clock of the rig's.

python -m chaos.scheduler runscheduler --workers 12
"""

import os
import sys
import time
from pathlib import Path

import django
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chaos.settings")
    django.setup()
    from scheduling.management.commands.runscheduler import Command

    Command.wall_clock = staticmethod(wall_clock)
    execute_from_command_line(sys.argv)


def wall_clock() -> float:
    """Return the machine's time, shifted by the seconds that the file of this node names."""
    file = Path(os.environ["CHAOS_SHIFT"])
    shift = float(file.read_text() or 0) if file.exists() else 0.0
    return time.time() + shift


if __name__ == "__main__":
    main()
