"""`docs/deployment.md`: what it says is run as it stands, and the result is asked over TLS."""

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.deployment import (
    HOST,
    LEFT_OUT,
    TEXT,
    TRANSLATION,
    Client,
    Machine,
    commit,
    furnish,
    sections,
)
from tests.acceptance.site import eventually
from tests.acceptance.stream import ask

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

FORGED = {
    "Forwarded": "for=1.2.3.4;proto=http;host=evil.example.com",
    "X-Forwarded-For": "1.2.3.4",
    "X-Forwarded-Host": "evil.example.com",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Protocol": "http",
    "X-Forwarded-Ssl": "off",
}


@pytest.fixture(scope="module")
def machine():
    """Lend a machine on which the text was followed to the end of its check."""
    folder = Path(tempfile.mkdtemp(prefix="deploy-"))  # short: the path of a socket has at most 107 bytes
    try:
        machine = Machine(folder)
        furnish(machine)
        with machine.systemd:
            machine.systemd.start("nginx")  # packages start what they bring
            machine.systemd.start("mariadb")
            machine.install()
            yield machine
            print(machine.last_words())
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def password(machine):
    return re.search(r"^The password of admin is (.*)$", machine.said, re.MULTILINE)[1]


@pytest.fixture(scope="module")
def client(machine, password):
    """Lend a browser that is logged in."""
    found = Client(machine)
    assert found.log_in(password).code == 302
    return found


class Visits:
    """A context in which somebody who is logged in reads and writes in four tabs; it counts the answers."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.answers: Counter[object] = Counter()
        self._end = threading.Event()
        self._tabs = [threading.Thread(target=self._go_on) for _ in range(4)]

    def __enter__(self):
        for tab in self._tabs:
            tab.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        for tab in self._tabs:
            tab.join()

    def _go_on(self) -> None:
        while not self._end.wait(0.05):
            self._visit("/")
            self._visit("/i18n/setlang/", {"language": "en", "next": "/"})

    def _visit(self, path: str, form: dict[str, str] | None = None) -> None:
        try:
            self.answers[path, self.client.ask(path, form).code] += 1
        except OSError as error:
            self.answers[path, repr(error)] += 1


def pids(machine, *names):
    return {name: machine.systemd.pid(name) for name in names}


def webs(machine):
    return [f"web@{port}" for port in machine.web_ports]


def test_few_lines_of_the_text_are_left_out():
    lines = [line for text in sections().values() for line in text.splitlines()]
    assert len([line for line in lines if line.startswith(LEFT_OUT)]) == 8
    assert len(lines) > 150


def test_the_translation_has_the_same_lines():
    def fenced(path):
        return re.findall(r"^```.*?^```$", path.read_text(), re.MULTILINE | re.DOTALL)

    assert fenced(TEXT) == fenced(TRANSLATION)


def test_the_text_says_that_all_is_well(machine):
    assert "System check identified no issues" in machine.said
    checked = machine.said.partition("By TLS")[2]
    assert len(re.findall(r"^HTTP/2 200", checked, re.MULTILINE)) == 3
    assert len(set(re.findall(r"^x-replica: (\S+)", checked, re.MULTILINE))) == 3
    assert "HTTP/1.1 308" in checked
    assert "\n421\n" in checked
    assert '"ready": true, "database": "ok", "redis": "ok"' in checked


def test_systemd_finds_nothing_wrong_with_the_units(machine):
    placed = machine.etc / "systemd/system"
    assert sorted(unit.name for unit in placed.iterdir()) == [
        "runscheduler@.service",
        "web@.service",
        "zookeeper.service",
    ]
    for name in (f"web@{machine.web_ports[0]}", "runscheduler@1", "zookeeper"):
        command = ["systemd-analyze", "verify", str(placed / f"{name}.service")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_secrets_are_for_their_readers_only(machine):
    for path in ("scheduler.env", "ssl/private/scheduler.key"):
        assert (machine.etc / path).stat().st_mode & 0o777 == 0o600


def test_a_login_is_kept_to_https(machine, password):
    client = Client(machine)
    answer = client.log_in(password)
    assert (answer.code, answer["Location"]) == (302, "/")
    assert answer["Strict-Transport-Security"] == "max-age=31536000"
    cookies = answer.cookies
    assert set(cookies) == {"__Host-sessionid", "__Host-csrftoken"}
    for attributes in cookies.values():
        assert {"Secure", "Path=/"} <= set(attributes.split("; "))
        assert "Domain" not in attributes
    assert "HttpOnly" in cookies["__Host-sessionid"]


def test_one_login_holds_on_every_replica_and_these_take_turns(machine, client):
    seen = Counter()
    for _ in range(9):
        answer = client.ask("/")
        assert answer.code == 200
        seen[answer["X-Replica"]] += 1
    assert sorted(seen.values()) == [3, 3, 3]
    assert {name.rpartition("-")[2] for name in seen} == {str(port) for port in machine.web_ports}
    assert 'upstream="127.0.0.1:' in (machine.log / "nginx/scheduler.log").read_text()


def test_plain_http_is_sent_to_https_with_its_method(machine):
    code, _body, headers = ask(f"http://127.0.0.1:{machine.ports['HTTP']}/login/", "POST", headers={"Host": HOST})
    assert (code, headers["Location"].rstrip("?")) == (308, f"{machine.origin}/login/")


def test_unknown_hosts_are_refused(machine, client):
    assert client.ask("/login/", headers={"Host": "evil.example.com"}).code == 421
    address = f"http://127.0.0.1:{machine.ports['HTTP']}/"
    assert ask(address, headers={"Host": "evil.example.com"})[0] == 421


def test_what_a_client_says_of_itself_changes_nothing(machine, client):
    """With http as the scheme Django would redirect, and with the other host refuse the page and its form."""
    assert client.ask("/", headers=FORGED).code == 200
    answer = client.ask("/i18n/setlang/", {"language": "en", "next": "/"}, headers=FORGED)
    assert (answer.code, answer["Location"]) == (302, "/")
    stranger = Client(machine)
    assert stranger.ask("/", headers=FORGED)["Location"] == "/login/?next=/"
    assert "Secure" in stranger.ask("/login/", headers=FORGED).cookies["__Host-csrftoken"]


def test_passwords_cannot_be_tried_at_will_whatever_address_is_claimed(machine):
    client = Client(machine, source="127.0.0.9")
    client.ask("/login/")
    tries = [
        client.ask("/login/", {"username": "admin", "password": "guess"}, {"X-Forwarded-For": f"1.2.3.{number}"}).code
        for number in range(7)
    ]
    assert tries == [200] * 6 + [429]  # one, and a burst of five


def test_static_files_come_from_nginx(client):
    answer = client.ask("/static/admin/css/base.css")
    assert (answer.code, answer["X-Replica"], answer["X-Content-Type-Options"]) == (200, "", "nosniff")


def test_a_stranger_reaches_nothing_but_the_login(machine):
    for path in ("/", "/admin/", "/admin/scheduling/job/", "/password/"):
        assert Client(machine).ask(path).code == 302


def test_the_schedulers_are_seen_by_the_site(client):
    eventually(lambda: '"registry": "ok"' in client.ask("/readyz").body, 20, "somebody leads")
    names = ["runscheduler@1", "runscheduler@2", "runscheduler@3"]
    assert len(pids(client.machine, *names)) == 3


def test_redis_is_set_as_it_should_be(machine):
    configured = (machine.etc / "redis" / "redis-sessions.conf").read_text()
    password = configured.split("requirepass ")[1].split()[0]

    def setting(name):
        command = ["redis-cli", "-p", str(machine.ports["REDIS"]), "config", "get", name]
        env = os.environ | {"REDISCLI_AUTH": password}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.split()[1]

    assert (setting("maxmemory-policy"), setting("appendonly")) == ("noeviction", "yes")
    assert any((machine.folder / "data/redis/sessions").iterdir())


def test_a_new_version_costs_nobody_an_answer(machine, client):
    source = machine.source / "config/health.py"
    source.write_text(source.read_text().replace('HttpResponse("ok"', 'HttpResponse("newer"'))
    commit(machine.source)
    before = pids(machine, *webs(machine), "runscheduler@1")
    with Visits(client) as visits:
        machine.run("A new version")
    assert set(visits.answers) == {("/", 200), ("/i18n/setlang/", 302)}, visits.answers
    assert min(visits.answers.values()) > 50
    assert not set(before.items()) & set(pids(machine, *before).items())
    assert [ask(f"http://127.0.0.1:{port}/healthz")[1] for port in machine.web_ports] == ["newer"] * 3


def test_a_new_secret_key_logs_nobody_out(machine, client):
    settings = machine.etc / "scheduler.env"
    before = re.search(r"^SECRET_KEY=(.*)$", settings.read_text(), re.MULTILINE)[1]
    with Visits(client) as visits:
        machine.run("Changing SECRET_KEY")
    assert set(visits.answers) == {("/", 200), ("/i18n/setlang/", 302)}, visits.answers
    assert f"\nSECRET_KEY_FALLBACKS={before}\n" in settings.read_text()
    assert client.is_logged_in()


def test_the_lines_for_cron_do_what_they_say(machine):
    machine.run("Every day")
    commands = [line.split(None, 6)[6] for line in (machine.etc / "cron.d/scheduler").read_text().splitlines()]
    for command in commands:
        done = subprocess.run(["sh", "-c", command], env=machine.environment(), capture_output=True, text=True)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    (copy,) = (machine.folder / "data/scheduler/backups").iterdir()
    assert copy.stat().st_mode & 0o777 == 0o600
    text = subprocess.run(["zcat", str(copy)], capture_output=True, text=True, check=True).stdout
    assert "CREATE TABLE `scheduling_job`" in text
