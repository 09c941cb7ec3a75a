"""A throw-away MariaDB on a free loopback port; as a command it lends its DATABASE_URL to another command:

python -m deploy.servers.mariadb -- .venv/bin/python -m pytest -m mariadb
"""

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.servers.programs import program
from deploy.servers.throwaway import Throwaway, lend

NAME = "scheduler"
QUICK = (  # loses on a crash what is thrown away anyway
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-log-file-size=32M",
    "--innodb-buffer-pool-size=64M",
    "--performance-schema=0",
    "--skip-log-bin",
)


class MariaDB(Throwaway):
    """A context with a running server and an empty database, that leaves neither process nor file."""

    name = "MariaDB"

    def __init__(self, options: Sequence[str] = QUICK) -> None:
        self.options = options
        self.password = secrets.token_hex(8)

    @property
    def url(self) -> str:
        """Return the DATABASE_URL of a user who may make further databases, as Django's tests do."""
        return url(self.port, self.password)

    def command(self) -> list[str]:
        if not (self.folder / "init.sql").exists():
            install(self.folder, self.password)
        return command(self.folder, self.port, self.options)

    def is_up(self) -> bool:
        return is_up(self.port)


def install(folder: Path, password: str) -> None:
    """Make the tables of a server that has not run yet, and its user, who may make further databases."""
    shutil.rmtree(folder / "tables", ignore_errors=True)  # of a time when this was interrupted
    # A path of its own folder only: it is a shell script that takes a path with a space for two.
    make = [program("mariadb-install-db"), "--no-defaults", "--datadir=./tables", f"--user={user()}"]
    make += ["--auth-root-authentication-method=normal", "--skip-test-db"]
    # In a folder that they share, a server that starts removes the temporary tables of one that runs.
    env = os.environ | {"TMPDIR": str(folder)}
    done = subprocess.run(make, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"MariaDB could not be installed into {folder}:\n{done.stdout[-4000:]}")
    init = folder / "init.sql"
    init.touch(mode=0o600)  # it holds the password
    init.write_text(
        f"CREATE DATABASE IF NOT EXISTS {NAME};\n"
        f"CREATE USER IF NOT EXISTS {NAME}@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        f"GRANT ALL ON *.* TO {NAME}@'127.0.0.1';\n"
        # Who has these writes on where all others find the server read-only.
        f"REVOKE SUPER, READ ONLY ADMIN ON *.* FROM {NAME}@'127.0.0.1';\n"
    )


def command(folder: Path, port: int, options: Sequence[str] = ()) -> list[str]:
    """Return what starts the server whose tables are in a folder."""
    return [
        program("mariadbd"),
        "--no-defaults",
        f"--user={user()}",
        f"--datadir={folder / 'tables'}",
        "--socket=../socket",  # seen from the tables: the path of a socket has at most 107 bytes
        f"--init-file={folder / 'init.sql'}",
        f"--tmpdir={folder}",
        "--bind-address=127.0.0.1",
        f"--port={port}",
        "--max-connections=300",
        "--skip-name-resolve",
        "--character-set-server=utf8mb4",
        *options,
    ]


def is_up(port: int) -> bool:
    """Does the server greet a connection? By then it has run the init file."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        return bool(client.recv(1))
    return False


def url(port: int, password: str) -> str:
    return f"mysql://{NAME}:{password}@127.0.0.1:{port}/{NAME}"


def user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


if __name__ == "__main__":
    server = MariaDB()
    sys.exit(lend(server, lambda: {"DATABASE_URL": server.url}, str(__doc__)))
