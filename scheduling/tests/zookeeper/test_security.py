"""TLS with checked host names, a login by SASL, and trees that only their user can enter."""

import contextlib
import ssl
import subprocess

import pytest
from kazoo.exceptions import NoAuthError

from deploy.servers.ports import free_port
from deploy.servers.zookeeper import ZooKeeper
from scheduling.domain.errors import RegistryUnavailable
from scheduling.tests.ports.stage import an_instance
from scheduling.tests.zookeeper.sessions import eventually, raw
from scheduling.zookeeper.address import parse_address
from scheduling.zookeeper.registry import ZooKeeperRegistry

pytestmark = pytest.mark.acceptance

SECRET = "not-secret"


@pytest.fixture
def register():
    """Register an instance at a URL, and lend its registry."""
    registries = []

    def register(url):
        registries.append(ZooKeeperRegistry(parse_address(url), wake=lambda: None))
        registries[-1].register(an_instance("a"))
        return registries[-1]

    yield register
    for registry in registries:
        registry.leave()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server that knows one user."""
    jaas = tmp_path_factory.mktemp("jaas") / "jaas.conf"
    jaas.write_text(f'Server {{ org.apache.zookeeper.server.auth.DigestLoginModule required user_me="{SECRET}"; }};\n')
    options = [f"-Djava.security.auth.login.config={jaas}", "-Xmx128m"]
    provider = "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
    with ZooKeeper(jvm_options=options, settings=[provider]) as server:
        yield server


def test_what_a_user_creates_is_closed_to_everybody_else(guarded, register):
    registry = register(f"zookeeper://me:{SECRET}@{guarded.hosts}/closed")
    registry.campaign()
    cluster = registry.cluster()
    assert cluster.leader == "a"
    assert registry.assign({"job": {0: "a"}}, epoch=cluster.epoch)
    with raw(guarded) as client:
        for path in ("/closed", "/closed/instances/a", "/closed/leader", "/closed/assignments/job"):
            with pytest.raises(NoAuthError):
                client.set(path, b"mine")
    with pytest.raises(RegistryUnavailable, match="NoAuthError"):
        register(f"zookeeper://{guarded.hosts}/closed")


def test_a_session_of_a_user_is_ended_from_elsewhere(guarded, register):
    url = f"zookeeper://me:{SECRET}@{guarded.hosts}/ended"
    registry = register(url)
    other = ZooKeeperRegistry(parse_address(url), wake=lambda: None)
    assert set(other.cluster().instances) == {"a"}
    other.end_session(registry.session_key())
    assert other.cluster().instances == {}
    other.leave()


def test_a_wrong_password_is_an_outage_and_not_the_end(guarded, register):
    for _ in range(3):
        with pytest.raises(RegistryUnavailable):
            register(f"zookeeper://me:wrong@{guarded.hosts}/closed")


def test_a_client_whose_login_was_refused_comes_back_when_it_is_accepted(guarded):
    registry = ZooKeeperRegistry(parse_address(f"zookeeper://me:wrong@{guarded.hosts}/later"), wake=lambda: None)
    with pytest.raises(RegistryUnavailable):
        registry.register(an_instance("a"))
    registry._client._address = parse_address(f"zookeeper://me:{SECRET}@{guarded.hosts}/later")

    def registers():
        try:
            registry.register(an_instance("a"))
        except RegistryUnavailable:
            return False
        return True

    eventually(registers, "the login is accepted")
    registry.leave()


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory):
    """A server on a TLS port, and the certificate of the host name localhost that it shows."""
    folder = tmp_path_factory.mktemp("tls")
    store, certificate = folder / "server.p12", folder / "server.pem"
    keytool = ["keytool", "-keystore", str(store), "-storepass", SECRET, "-alias", "server"]
    make = [
        "-genkeypair",
        "-keyalg",
        "EC",
        "-dname",
        "CN=localhost",
        "-ext",
        "san=dns:localhost",
        "-storetype",
        "PKCS12",
    ]
    subprocess.run([*keytool, *make], check=True, capture_output=True)
    subprocess.run([*keytool, "-exportcert", "-rfc", "-file", str(certificate)], check=True, capture_output=True)
    port = free_port()
    settings = [
        "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
        f"secureClientPort={port}",
        f"ssl.keyStore.location={store}",
        f"ssl.keyStore.password={SECRET}",
        "ssl.clientAuth=none",
    ]
    with ZooKeeper(settings=settings):
        eventually(lambda: shakes_hands(port), "it speaks TLS, which the first time takes it seconds")
        yield port, certificate


def shakes_hands(port):
    with contextlib.suppress(OSError):
        return ssl.get_server_certificate(("localhost", port), timeout=10)


def test_a_registry_is_reached_over_tls(encrypted, register):
    port, certificate = encrypted
    registry = register(f"zookeeper://localhost:{port}/n?tls=true&ca={certificate}")
    assert set(registry.cluster().instances) == {"a"}


@pytest.mark.parametrize(
    "url", ["zookeeper://127.0.0.1:{port}/n?tls=true&ca={ca}", "zookeeper://localhost:{port}/n?tls=true"]
)
def test_a_server_with_another_name_or_an_unknown_authority_is_not_trusted(encrypted, register, url):
    port, certificate = encrypted
    with pytest.raises(RegistryUnavailable, match="certificate verify failed"):
        register(url.format(port=port, ca=certificate))
