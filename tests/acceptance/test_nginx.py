"""nginx's configuration: each variant can be read, a shell fills it in as Python does, TLS knows its hosts."""

import http.client
import json
import os
import re
import ssl
import subprocess
from string import Template

import pytest

from deploy.servers import nginx
from deploy.servers.nginx import Nginx
from deploy.servers.ports import free_port
from deploy.servers.tier import Replica
from tests.acceptance.site import site as lend_site
from tests.acceptance.stream import ask

pytestmark = pytest.mark.acceptance

HOST = "jobs.example.com"


@pytest.fixture
def certificate(tmp_path):
    """Make a certificate that its own key has signed, and return the placeholders' values."""
    key, found = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={HOST}"]
    command += ["-addext", f"subjectAltName=DNS:{HOST}", "-keyout", str(key), "-out", str(found)]
    subprocess.run(command, check=True, capture_output=True)
    port = free_port()
    return {
        "SERVER_NAME": HOST,
        "HTTPS_PORT": str(port),
        "ORIGIN": f"https://{HOST}:{port}",
        "CERTIFICATE": str(found),
        "CERTIFICATE_KEY": str(key),
    }


@pytest.fixture
def tls(tmp_path, certificate):
    """Lend an nginx with TLS before one replica."""
    folder = tmp_path / "site"
    folder.mkdir()
    with lend_site(folder) as site:
        env = {
            **site.env,
            "DJANGO_SETTINGS_MODULE": "tests.acceptance.tier_settings",
            "ALLOWED_HOSTS": f"{HOST},127.0.0.1",
        }
        with (
            Replica("r1", env) as replica,
            Nginx({"r1": replica.address}, site="site-tls.conf", values=certificate) as it,
        ):
            yield it


def ask_by_tls(nginx, host, *, handshake=HOST, path="/headers", version=None):
    """Return code and body of an answer over TLS."""
    trust = ssl.create_default_context(cafile=nginx.values["CERTIFICATE"])
    trust.maximum_version = version or ssl.TLSVersion.MAXIMUM_SUPPORTED
    port = int(nginx.values["HTTPS_PORT"])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.connect()
    try:
        connection.sock = trust.wrap_socket(connection.sock, server_hostname=handshake)
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("upstream", "site"),
    [("upstream.conf", "site.conf"), ("upstream-ip-hash.conf", "site.conf"), ("upstream.conf", "site-tls.conf")],
)
def test_each_variant_can_be_read_also_below_a_folder_with_spaces(tmp_path, certificate, upstream, site):
    folder = tmp_path / "a folder"
    folder.mkdir()
    nginx.write(folder, nginx.usual(folder, free_port()) | certificate, upstream=upstream, site=site)
    nginx.write_servers(folder, {"r1": "127.0.0.1:8001", "r2": "127.0.0.1:8002"}, {"r2"})
    nginx.check(folder)
    assert nginx.taken_out(folder) == ["r2"]


def test_a_configuration_that_cannot_be_read_is_not_taken_up():
    with Nginx({"r1": "127.0.0.1:1"}) as running:
        (running.folder / "servers.conf").write_text("no such thing;")
        with pytest.raises(RuntimeError, match="cannot read its configuration"):
            running.reload()
        assert running.is_up()


def test_a_shell_fills_the_templates_in_as_python_does():
    templates = sorted(nginx.TEMPLATES.glob("*.conf"))
    names = {name for template in templates for name in re.findall(r"\$\{([A-Z_]+)\}", template.read_text())}
    values = {name: f"/value of {name}" for name in names}
    for template in templates:
        text = template.read_text()
        command = ["envsubst", " ".join(f"${name}" for name in sorted(names))]
        filled = subprocess.run(command, input=text, env=os.environ | values, capture_output=True, text=True).stdout
        assert filled == Template(text).safe_substitute(values)
        assert re.findall(r"\$[a-z_]+", filled) == re.findall(r"\$[a-z_]+", text)


def test_the_instructions_fill_in_all_that_is_to_be_filled_in(tmp_path, certificate):
    """Run them in a folder, but for the reload, and let nginx read the result as Debian's includes it."""
    (instructions,) = re.findall(r"```\n(.*)nginx -t", (nginx.TEMPLATES / "README.md").read_text(), re.DOTALL)
    etc = tmp_path / "etc/nginx"
    for name in ("conf.d", "sites-enabled"):
        (etc / name).mkdir(parents=True)
    here = {
        "/etc/nginx": str(etc),
        "HTTP_PORT=80": f"HTTP_PORT={free_port()}",
        "HTTPS_PORT=443": f"HTTPS_PORT={certificate['HTTPS_PORT']}",
        "/etc/ssl/jobs.pem": certificate["CERTIFICATE"],
        "/etc/ssl/private/jobs.key": certificate["CERTIFICATE_KEY"],
    }
    script = re.sub("|".join(here), lambda found: here[found[0]], instructions)
    subprocess.run(["sh", "-euc", script], cwd=nginx.TEMPLATES, check=True)
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; events {{}} http {{ gzip on; ssl_protocols TLSv1.2; access_log off; server_tokens build;"
        f"include {etc}/conf.d/*.conf; include {etc}/sites-enabled/*; }}"
    )
    nginx.check(tmp_path)


def test_the_list_of_replicas_is_written_as_the_shipped_one():
    shipped = (nginx.TEMPLATES / "servers.conf").read_text().splitlines()[1:]
    written = [nginx.server(f"web@{port}", f"127.0.0.1:{port}", out=False) for port in (8001, 8002, 8003)]
    assert [line.split("; #")[0] + ";" for line in written] == shipped
    assert nginx.server("r1", "127.0.0.1:8001", out=True).startswith(
        "server 127.0.0.1:8001 max_fails=3 fail_timeout=1s down;"
    )


def test_plain_http_is_sent_to_https_with_its_method(tls):
    code, _body, headers = ask(f"{tls.url}/login/?next=/admin/", "POST", headers={"Host": HOST})
    assert (code, headers["Location"]) == (308, f"{tls.values['ORIGIN']}/login/?next=/admin/")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_site_knows_that_it_was_asked_by_https(tls, version):
    code, body = ask_by_tls(tls, HOST, version=version)
    assert (code, json.loads(body)["scheme"]) == (200, "https")


def test_unknown_hosts_are_refused_before_a_replica_hears_of_them(tls):
    assert ask(f"{tls.url}/headers", headers={"Host": "evil.example.com"})[0] == 421
    assert ask_by_tls(tls, "evil.example.com")[0] == 421
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        ask_by_tls(tls, "evil.example.com", handshake="evil.example.com")
