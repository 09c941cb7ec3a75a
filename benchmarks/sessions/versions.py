"""What was measured with what, and when."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version

from benchmarks.versions import commit
from deploy.servers.programs import program


def versions() -> dict[str, str]:
    """Return all versions that matter; neither names nor paths of the machine."""
    packages = {"Django": "django", "django-redis": "django-redis", "redis-py": "redis", "gunicorn": "gunicorn"}
    return {
        "CPUs": str(os.cpu_count()),
        "Python": platform.python_version(),
        **{name: version(package) for name, package in packages.items()},
        "Redis": said("redis-server", "--version"),
        "MariaDB": said("mariadbd", "--version"),
        "nginx": said("nginx", "-v"),
        "commit": commit(),
        "on": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def said(name: str, option: str) -> str:
    """Return the version that a server's program says it has."""
    done = subprocess.run([program(name), option], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = re.search(r"\d+\.\d+\.\d+", done.stdout)
    return found[0] if found else "unknown"
