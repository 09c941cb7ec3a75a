"""The guarded client against servers that freeze, end, come back empty, or will not let it in."""

import signal
import time
from pathlib import Path

import pytest
from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError

from deploy.servers.zookeeper import ZooKeeper
from scheduling.domain.errors import RegistryUnavailable
from scheduling.tests.zookeeper.sessions import eventually, raw
from scheduling.zookeeper.address import parse_address
from scheduling.zookeeper.client import GuardedClient, Refused

pytestmark = pytest.mark.acceptance

TIMEOUT = 4


@pytest.fixture
def server():
    """A ZooKeeper of its own, for tests that stop it."""
    with ZooKeeper() as server:
        yield server


@pytest.fixture
def connect():
    clients = []

    def connect(url, wake=lambda: None):
        clients.append(GuardedClient(parse_address(url), wake))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def exists(path):
    return lambda client: client.exists_async(path)


def create(path):
    return lambda client: client.create_async(path)


def freeze(process):
    """Stop a process, and return when none of its threads runs any more."""
    process.send_signal(signal.SIGSTOP)
    tasks = list(Path(f"/proc/{process.pid}/task").iterdir())
    eventually(lambda: all(") T " in (task / "stat").read_text() for task in tasks), "every thread has stopped")


def answers(client):
    try:
        client.ask(exists("/"))
    except RegistryUnavailable:
        return False
    return True


def test_what_a_server_says_of_a_node_is_raised(zookeeper, url, connect):
    client = connect(url)
    path = "/" + url.rpartition("/")[2]
    client.ask(create(path))
    with pytest.raises(NodeExistsError):
        client.ask(create(path))
    with pytest.raises(NoNodeError):
        client.ask(lambda kazoo: kazoo.get_async(path + "/none"))
    found, missing = client.ask_all([exists(path), lambda kazoo: kazoo.get_async(path + "/none")])
    assert found.version == 0
    assert isinstance(missing, NoNodeError)


def test_many_requests_are_answered_in_their_order(zookeeper, url, connect):
    client = connect(url)
    path = "/" + url.rpartition("/")[2]
    client.ask(create(path))
    client.ask_all([create(f"{path}/{number}") for number in range(1000)])
    found = client.ask_all([lambda kazoo, n=number: kazoo.get_async(f"{path}/{n}") for number in range(1000)])
    stats = [stat.czxid for _value, stat in found]
    assert stats == sorted(stats) and len(set(stats)) == 1000


def test_a_transaction_raises_the_operation_that_was_refused_and_does_none(zookeeper, url, connect):
    client = connect(url)
    path = "/" + url.rpartition("/")[2]
    client.ask(create(path))

    def fill(multi):
        multi.create(f"{path}/new")
        multi.set_data(path, b"1", 7)
        multi.create(f"{path}/newer")

    with pytest.raises(Refused) as refused:
        client.commit(fill)
    assert refused.value.index == 1
    assert isinstance(refused.value.error, BadVersionError)
    assert client.ask(exists(f"{path}/new")) is None


@pytest.mark.parametrize(("asked", "granted"), [("1", 1.0), ("6", 6.0), ("60", 40.0)])
def test_the_session_timeout_is_what_the_servers_grant(zookeeper, url, connect, asked, granted):
    client = connect(f"{url}?session_timeout={asked}")
    assert client.session_timeout == float(asked)
    client.ask(exists("/"))
    assert client.session_timeout == granted


def test_nobody_there_is_said_soon_and_who_comes_later_is_found(server, connect):
    server.stop()
    client = connect(server.url())
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(RegistryUnavailable, match=r"there is no connection to ZooKeeper at .* \(.*refused"):
            client.ask(exists("/"))
        assert time.monotonic() - began < 5
    server.start()
    eventually(lambda: answers(client), "an answer")


def test_a_frozen_server_is_noticed_while_requests_are_being_sent(server, connect):
    client = connect(f"{server.url()}?session_timeout={TIMEOUT}")
    client.ask(exists("/"))
    freeze(server.process)
    began = time.monotonic()
    with pytest.raises(RegistryUnavailable, match="no answer in time"):
        client.ask(exists("/"))
    assert time.monotonic() - began < TIMEOUT
    began = time.monotonic()
    for _ in range(1000):
        with pytest.raises(RegistryUnavailable):
            client.ask(exists("/"))
    assert time.monotonic() - began < TIMEOUT  # none of them waits, or is kept to be sent later
    server.process.send_signal(signal.SIGCONT)
    eventually(lambda: answers(client), "an answer")


def test_a_short_restart_keeps_the_session(server, connect):
    client = connect(f"{server.url()}?session_timeout=20")
    client.ask(exists("/"))
    session = client.session
    server.kill()
    server.start()
    eventually(lambda: answers(client), "an answer")
    assert client.session == session


def test_a_server_that_was_wiped_lets_its_clients_in_again(server, connect):
    client = connect(server.url())
    client.ask_all([create(f"/{number}") for number in range(100)])
    server.kill()
    server.wipe()
    server.start()
    eventually(lambda: answers(client), "an answer")
    assert client.ask(exists("/0")) is None


def test_waking_is_all_that_is_done_when_the_connection_is_lost_or_found(server, connect):
    woken = []
    client = connect(server.url(), wake=lambda: woken.append(client.connections))
    client.ask(exists("/"))
    server.kill()
    eventually(lambda: not answers(client), "the loss is noticed")
    server.start()
    eventually(lambda: answers(client), "an answer")
    assert woken[:3] == [1, 2, 3]


def test_a_closed_client_has_ended_its_session_and_can_begin_another(zookeeper, url, connect):
    client = connect(url)
    path = "/" + url.rpartition("/")[2]
    client.ask(lambda kazoo: kazoo.create_async(path, ephemeral=True))
    client.close()
    with raw(zookeeper) as other:
        assert other.exists(path) is None
    assert client.session is None
    assert client.ask(exists(path)) is None
