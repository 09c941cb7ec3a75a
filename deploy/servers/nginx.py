"""nginx before the web replicas: its configuration from `deploy/nginx/`, and a throw-away one on a free port."""

import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from string import Template

from deploy.daemons import waited
from deploy.family import children
from deploy.install import ROOT
from deploy.readiness import status
from deploy.servers.programs import program
from deploy.servers.throwaway import Throwaway

TEMPLATES = ROOT / "deploy" / "nginx"
STATIC_ROOT = ROOT / "var" / "static"
RELOAD_SECONDS = 35  # nginx gives the requests under way 30


class Nginx(Throwaway):
    """A context with a running nginx before replicas (name: host:port), that leaves neither process nor file.

    `values` fills placeholders of the templates that are not to have their usual value.
    """

    name = "nginx"

    def __init__(
        self,
        replicas: Mapping[str, str],
        *,
        upstream: str = "upstream.conf",
        site: str = "site.conf",
        values: Mapping[str, str] | None = None,
    ) -> None:
        self.replicas = dict(replicas)
        self.upstream = upstream
        self.site = site
        self.values = dict(values or {})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def access_log(self) -> Path:
        return self.folder / "access.log"

    def command(self) -> list[str]:
        write(self.folder, usual(self.folder, self.port) | self.values, upstream=self.upstream, site=self.site)
        if not (self.folder / "servers.conf").exists():
            write_servers(self.folder, self.replicas)
        return command(self.folder)

    def is_up(self) -> bool:
        return status(self.port, "/nginx-health") != 0

    def check(self) -> None:
        """Raise RuntimeError if nginx cannot read its configuration."""
        check(self.folder)

    def reload(self) -> None:
        """Take up a changed configuration; return when the processes of before have served what they had begun."""
        reload(self.folder, self.process.pid)

    def taken_out(self) -> Collection[str]:
        return taken_out(self.folder)

    def take_out(self, names: Collection[str]) -> None:
        write_servers(self.folder, self.replicas, names)
        self.reload()


def usual(folder: Path, port: int) -> dict[str, str]:
    """Return the values of the placeholders, for an nginx of this machine only."""
    return {
        "ROOT": str(folder),
        "USER": pwd.getpwuid(os.geteuid()).pw_name,
        "ADDRESS": "127.0.0.1",
        "HTTP_PORT": str(port),
        "STATIC_ROOT": str(STATIC_ROOT),
        "LOGIN_RATE": "10r/m",
        "LOGIN_BURST": "5",
    }


def write(folder: Path, values: Mapping[str, str], *, upstream: str = "upstream.conf", site: str = "site.conf") -> None:
    """Write the configuration into a folder, all but the list of the replicas."""
    names = {"nginx.conf": "main.conf", "upstream.conf": upstream, "site.conf": site}
    names |= {name: name for name in ("http.conf", "locations.conf", "proxy.conf")}
    for name, template in names.items():
        text = Template((TEMPLATES / template).read_text(encoding="utf-8")).safe_substitute(values)
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copytree(TEMPLATES / "errors", folder / "errors", dirs_exist_ok=True)


def write_servers(folder: Path, replicas: Mapping[str, str], out: Collection[str] = ()) -> None:
    """Write the list of the replicas, with those that get no requests; whole or not at all."""
    draft = folder / "servers.draft"
    draft.write_text("".join(server(name, address, out=name in out) for name, address in replicas.items()))
    draft.rename(folder / "servers.conf")


def server(name: str, address: str, *, out: bool) -> str:
    return f"server {address} max_fails=3 fail_timeout=1s{' down' if out else ''}; # {name}\n"


def taken_out(folder: Path) -> list[str]:
    """Return the names of the replicas that get no requests."""
    kept = folder / "servers.conf"
    return re.findall(r" down; # (\S+)$", kept.read_text(), re.MULTILINE) if kept.exists() else []


def command(folder: Path) -> list[str]:
    """Return what starts the nginx whose configuration is in a folder, in the foreground."""
    return [*_nginx(folder), "-g", "daemon off;"]


def check(folder: Path) -> None:
    done = subprocess.run([*_nginx(folder), "-t"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"nginx cannot read its configuration:\n{done.stdout}")


def _nginx(folder: Path) -> list[str]:
    return [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def reload(folder: Path, pid: int) -> None:
    """Take up a changed configuration; return when the processes of before have served what they had begun."""
    check(folder)
    before = children(pid)
    os.kill(pid, signal.SIGHUP)
    if not waited(lambda: not before & children(pid), RELOAD_SECONDS):
        left = sorted(before & children(pid))
        raise RuntimeError(f"nginx did not end its processes {left} within {RELOAD_SECONDS} s")
