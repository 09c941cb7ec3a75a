"""What the figures were measured with: without it they mean nothing."""

import contextlib
import os
import platform
import sqlite3
import subprocess
from importlib.metadata import version

from benchmarks.columns import Column
from benchmarks.site import ROOT
from benchmarks.traffic import connect

WRITTEN = (":!benchmarks/results", ":!docs/query-plans.md")
"""What benchmarks write themselves, as git leaves it out."""


def of_project() -> dict[str, str]:
    """Return the versions of all that is not a server."""
    return {
        "Python": platform.python_version(),
        "Django": version("django"),
        "kazoo": version("kazoo"),
        "SQLite": sqlite3.sqlite_version,
        "CPUs": str(os.cpu_count()),
        "commit": commit(),
    }


def of_servers(column: Column) -> dict[str, str]:
    """Return the versions of the column's servers, as they say themselves."""
    found = {}
    if column.mariadb:
        with contextlib.closing(connect(column.mariadb.url)) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT VERSION()")
            found["MariaDB"] = str(cursor.fetchone()[0])
    if column.zookeeper:
        first_line = column.zookeeper.four_letter("srvr").partition("\n")[0]
        found["ZooKeeper"] = first_line.removeprefix("Zookeeper version: ").partition("-")[0]
    return found


def commit() -> str:
    """Return the commit that is measured, and whether files differ from it, apart from results."""
    with contextlib.suppress(FileNotFoundError, subprocess.CalledProcessError):
        edited = git("status", "--porcelain", "--", ".", *WRITTEN)
        return git("rev-parse", "--short", "HEAD") + (", edited" if edited else "")
    return "unknown"


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
