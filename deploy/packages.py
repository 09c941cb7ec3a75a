"""Debian packages: installs those that are missing, or says which ones they are."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

# Of MariaDB and ZooKeeper the programs without a service. nginx and Redis come with one, which the installation leaves
# off, but the next start of the machine would not: `systemctl disable nginx redis-server`, if it is not wanted.
SERVERS = ["mariadb-server-core", "mariadb-client-core", "libzookeeper-java", "default-jre-headless"]
SERVERS += ["nginx", "redis-server"]
BUILD = ["libmariadb-dev", "gcc", "pkg-config"]  # for mysqlclient
CATALOGUES = ["gettext"]
# With which the tests make a certificate, read the units, see the pages, make a dump.
PROOFS = ["openssl", "systemd", "chromium", "mariadb-client"]
QUIET = ["env", "RUNLEVEL=1", "SYSTEMD_OFFLINE=1", "DEBIAN_FRONTEND=noninteractive"]  # asks nothing, starts nothing


def main(names: list[str]) -> None:
    missing = [name for name in names or [*of_cluster(), *CATALOGUES, *PROOFS] if not is_installed(name)]
    if not missing:
        return
    become_root = elevation()
    if become_root is None or not installed(missing, become_root):
        sys.exit(f"These Debian packages are missing. As root: apt-get install {' '.join(missing)}")


def of_cluster() -> list[str]:
    """Return what the servers are, and what building the client of one needs."""
    return SERVERS + BUILD + headers(sys.base_prefix, Path(sysconfig.get_path("include")))


def headers(prefix: str, include: Path) -> list[str]:
    """Return the package with Python's headers where this Python is Debian's and has none."""
    if prefix != "/usr" or (include / "Python.h").exists():
        return []
    return [f"python{sys.version_info.major}.{sys.version_info.minor}-dev"]


def is_installed(name: str) -> bool:
    if not shutil.which("dpkg-query"):
        return False
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", name]
    return subprocess.run(query, capture_output=True, text=True).stdout == "installed"


def elevation() -> list[str] | None:
    """Return what a command must begin with to run as root; None if this user cannot, or there is no apt."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ["sudo", "-n"]
    return None


def installed(names: list[str], become_root: list[str]) -> bool:
    print(f"Installing Debian packages: {' '.join(names)}", flush=True)
    apt_get = [*become_root, *QUIET, "apt-get", "-qq"]
    subprocess.run([*apt_get, "update"])
    return subprocess.run([*apt_get, "install", "--yes", "--no-install-recommends", *names]).returncode == 0


if __name__ == "__main__":
    main(sys.argv[1:])
