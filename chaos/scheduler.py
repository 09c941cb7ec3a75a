"""One scheduler of the rig: `manage.py runscheduler`, in a program that the rig can hand other things to."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chaos.settings")
    execute_from_command_line(["manage.py", "runscheduler", *sys.argv[1:]])


if __name__ == "__main__":
    main()
