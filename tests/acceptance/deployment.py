"""`docs/deployment.md` as a program: its blocks, and a folder that is to them what a fresh Debian is."""

import getpass
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from deploy.servers import mariadb
from deploy.servers.ports import free_port
from tests.acceptance.clone import copy_repository
from tests.acceptance.site import ROOT
from tests.acceptance.systemd import Systemd

TEXT = ROOT / "docs" / "deployment.md"
TRANSLATION = ROOT / "docs" / "deployment.zh-CN.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMES = "Names"
LATER = "A new version"  # the first section that is not part of the installation

LEFT_OUT = (
    "apt-get ",  # changes this machine; `make setup` has installed what the tests need
    "adduser ",  # changes this machine
    "chown ",  # to users whom those two would have made; here all runs as one user
)
HOST = "jobs.example.com"


def sections() -> dict[str, str]:
    """Return the lines for the shell of each section, in order."""
    parts = re.split(r"^## (.*)$", TEXT.read_text(), flags=re.MULTILINE)[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {title: "\n".join(BLOCK.findall(part)) for title, part in pairs}


def without(lines: str, prefixes: tuple[str, ...] = LEFT_OUT) -> str:
    return "".join(line for line in lines.splitlines(keepends=True) if not line.startswith(prefixes))


def with_values(names: str, values: dict[str, str]) -> str:
    """Give names other values where the text assigns them."""
    for name, value in values.items():
        (assignment,) = re.findall(rf"^{name}=.*$", names, re.MULTILINE)
        names = names.replace(f"\n{assignment}\n", f"\n{name}='{value}'\n")
    return names


class Machine:
    """A folder with what the packages would have brought, in which the blocks of the text run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.etc = folder / "etc"
        self.log = folder / "log"
        self.source = folder / "source"
        self.code = folder / "code"
        self.ports = {name: free_port() for name in ("HTTP", "HTTPS", "DATABASE", "REDIS", "ZOOKEEPER")}
        self.web_ports = [free_port() for _ in range(3)]
        self.systemd = Systemd(folder, [self.etc / "systemd/system", folder / "lib"])
        for path in ("etc/systemd/system", "etc/redis", "etc/cron.d", "lib", "bin", "data", "log/nginx"):
            (folder / path).mkdir(parents=True)

    @property
    def origin(self) -> str:
        return f"https://{HOST}:{self.ports['HTTPS']}"

    def values(self) -> dict[str, str]:
        return {
            "HOST": HOST,
            "ORIGIN": self.origin,
            "SOURCE": str(self.source),
            "CODE": str(self.code),
            "ETC": str(self.etc),
            "DATA": str(self.folder / "data"),
            "LOG": str(self.log),
            "ADDRESS": "127.0.0.1",
            "WEB_PORTS": " ".join(map(str, self.web_ports)),
            **{f"{name}_PORT": str(port) for name, port in self.ports.items()},
        }

    def run(self, *titles: str) -> str:
        """Run sections in a new shell, after the names; return what they print."""
        text = sections()
        script = self.folder / "script"
        script.write_text(with_values(text[NAMES], self.values()) + without("".join(text[title] for title in titles)))
        done = subprocess.run(
            ["sh", "-eu", str(script)], env=self.environment(), cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.last_words()}"
        return done.stdout

    def install(self) -> None:
        titles = list(sections())
        self.said = self.run(*titles[titles.index(NAMES) + 1 : titles.index(LATER)])

    def environment(self) -> dict[str, str]:
        """Return that of root's shell: nothing that the settings read."""
        project = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
        kept = {name: value for name, value in os.environ.items() if name not in {*project, "DJANGO_SETTINGS_MODULE"}}
        path = f"{self.folder / 'bin'}:{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}:/usr/sbin:/sbin"
        cache = kept.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))  # pip's wheels
        return kept | {"PATH": path, "HOME": str(self.folder), "XDG_CACHE_HOME": cache}

    def last_words(self) -> str:
        return self.systemd.log.read_text(errors="replace")[-6000:] if self.systemd.log.exists() else ""


def furnish(machine: Machine) -> None:
    """Put into the folder what the packages bring: the settings and units of Debian, with other paths."""
    furnish_source(machine.source)
    furnish_mariadb(machine)
    furnish_nginx(machine)
    redis = Path("/lib/systemd/system/redis-server@.service").read_text()
    (machine.folder / "lib/redis-server@.service").write_text(redis.replace("/etc/", f"{machine.etc}/"))


def furnish_source(folder: Path) -> None:
    """Make a repository to clone, with what is in this folder also before it is committed."""
    copy_repository(folder)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    commit(folder)


def commit(folder: Path) -> None:
    git = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@example.com"]
    git += ["-c", "commit.gpgsign=false"]
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "A version"], check=True)


def furnish_mariadb(machine: Machine) -> None:
    """Make tables, the settings that include those of the text, and a way in for the client of the one who runs it."""
    folder, etc = machine.folder / "mariadb", machine.etc / "mysql"
    (etc / "mariadb.conf.d").mkdir(parents=True)
    folder.mkdir()
    mariadb.install(folder, "not used")
    quick = "\n".join(option.removeprefix("--") for option in mariadb.QUICK)
    (etc / "mariadb.cnf").write_text(
        f"[client-server]\nsocket={folder}/socket\n"
        f"[mariadbd]\nuser={getpass.getuser()}\ndatadir={folder}/tables\ncharacter-set-server=utf8mb4\n{quick}\n"
        f"!includedir {etc}/mariadb.conf.d/\n"
    )
    (machine.folder / ".my.cnf").write_text(f"[client]\nuser=root\nsocket={folder}/socket\n")
    command = f"/usr/sbin/mariadbd --defaults-file={etc}/mariadb.cnf"
    (machine.folder / "lib/mariadb.service").write_text(f"[Service]\nType=notify\nExecStart={command}\n")


def furnish_nginx(machine: Machine) -> None:
    """Make Debian's settings, with the page that it serves at first, and start it."""
    etc = machine.etc / "nginx"
    for name in ("conf.d", "sites-enabled"):
        (etc / name).mkdir(parents=True)
    text = Path("/etc/nginx/nginx.conf").read_text()
    text = re.sub(r"^user .*;", f"user {getpass.getuser()};", text, flags=re.MULTILINE)
    text = re.sub(r"/etc/nginx/(conf\.d|sites-enabled)", rf"{etc}/\1", text)
    text = text.replace("/var/log/", f"{machine.log}/").replace("/run/nginx.pid", f"{machine.folder}/nginx.pid")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {machine.folder}/{kind};\n" for kind in kinds)
    (etc / "nginx.conf").write_text(text.replace("http {\n", f"http {{\n{folders}"))
    page = f"server {{ listen 127.0.0.1:{machine.ports['HTTP']} default_server; return 200 'Welcome to nginx'; }}\n"
    (etc / "sites-enabled/default").write_text(page)
    command = f"{shutil.which('nginx', path='/usr/sbin:/usr/bin')} -c {etc}/nginx.conf -e {machine.log}/nginx/error.log"
    (machine.folder / "lib/nginx.service").write_text(
        f"[Service]\nExecStart={command} -g 'daemon off;'\nExecReload=/bin/kill -HUP $MAINPID\n"
    )


@dataclass(frozen=True)
class Answer:
    """What came back."""

    code: int
    body: str
    headers: list[tuple[str, str]]

    def __getitem__(self, name: str) -> str:
        return ", ".join(value for header, value in self.headers if header.lower() == name.lower())

    @property
    def cookies(self) -> dict[str, str]:
        """Return each cookie that is set, with its attributes."""
        found = [value.partition("=") for header, value in self.headers if header.lower() == "set-cookie"]
        return {name: value for name, _equals, value in found}


@dataclass
class Client:
    """A browser of one address, over TLS, that trusts the certificate of the text."""

    machine: Machine
    source: str = "127.0.0.1"
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Send a request on a connection of its own; a form is posted, as pages of the site do."""
        sent = {"Host": self.machine.origin.removeprefix("https://"), **self._cookie(), **(headers or {})}
        body = None
        if form is not None:
            body = urllib.parse.urlencode({**form, "csrfmiddlewaretoken": self.cookies.get("__Host-csrftoken", "")})
            sent |= {"Origin": self.machine.origin, "Content-Type": "application/x-www-form-urlencoded"}
        answer = self._answer("GET" if form is None else "POST", path, body, sent)
        self.cookies |= {name: value.split(";")[0] for name, value in answer.cookies.items()}
        return answer

    def log_in(self, password: str, name: str = "admin") -> Answer:
        self.ask("/login/")
        return self.ask("/login/", {"username": name, "password": password})

    def is_logged_in(self) -> bool:
        return self.ask("/").code == 200

    def _cookie(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}

    def _answer(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        trust = ssl.create_default_context(cafile=str(self.machine.etc / "ssl/scheduler.pem"))
        connection = http.client.HTTPConnection(HOST)
        address = ("127.0.0.1", self.machine.ports["HTTPS"])
        with socket.create_connection(address, timeout=20, source_address=(self.source, 0)) as plain:
            connection.sock = trust.wrap_socket(plain, server_hostname=HOST)
            try:
                connection.request(method, path, body=body, headers=headers)
                answer = connection.getresponse()
                return Answer(answer.status, answer.read().decode(), answer.getheaders())
            finally:
                connection.close()
