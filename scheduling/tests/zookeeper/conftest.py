"""A real ZooKeeper for the tests of this folder, each in a namespace of its own."""

import secrets

import pytest

from deploy.servers.zookeeper import ZooKeeper


@pytest.fixture(scope="session")
def zookeeper():
    with ZooKeeper() as server:
        yield server


@pytest.fixture
def url(zookeeper):
    return zookeeper.url(f"test-{secrets.token_hex(6)}")
