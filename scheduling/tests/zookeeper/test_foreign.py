"""What somebody else writes into the tree is refused, said, and mended; a wiped tree grows again."""

import logging

import pytest
from kazoo.security import make_digest_acl

from scheduling.tests.ports.stage import an_instance
from scheduling.tests.zookeeper.sessions import Sessions, eventually, raw
from scheduling.tests.zookeeper.test_registry import JOBS

pytestmark = pytest.mark.acceptance

ARCHIVE, SWEEP = JOBS
OWNERS = {ARCHIVE.name: {0: "a", 1: "b", 2: "a"}, SWEEP.name: {0: "a"}}
SCRIPTS = [
    b"",
    b"{",
    b"#!/bin/sh\nrm -rf /",
    b'{"cron": "0/1 * * * * ?"}',
    b"\xff" * 100,
    b'{"a": "\\ud800", "digest": "x"}',
    b"x" * 2_000_000,
]


@pytest.fixture(scope="module")
def zookeeper():
    from deploy.servers.zookeeper import ZooKeeper

    with ZooKeeper(jvm_options=["-Djute.maxbuffer=4194304"]) as server:
        yield server


@pytest.fixture
def sessions(zookeeper, url):
    sessions = Sessions(zookeeper, url)
    yield sessions
    sessions.close()


@pytest.fixture
def root(url):
    return "/" + url.rpartition("/")[2]


@pytest.fixture
def leader(sessions):
    registry = sessions.connect()
    registry.register(an_instance("a"))
    registry.campaign()
    lead(registry)
    return registry


def lead(registry):
    """Do as the leader does at each reading."""
    cluster = registry.cluster()
    assert registry.publish(JOBS, epoch=cluster.epoch)
    assert registry.assign(OWNERS, epoch=cluster.epoch)


def is_whole(registry):
    cluster = registry.cluster()
    return (
        cluster.jobs == {job.name: job for job in JOBS}
        and cluster.assignments == OWNERS
        and cluster.foreign == frozenset()
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: repr(script[:20]))
@pytest.mark.parametrize("folder", ["jobs", "assignments"])
def test_a_document_that_somebody_else_wrote_is_refused_and_mended(
    zookeeper, root, sessions, leader, caplog, folder, script
):
    other = sessions.connect()
    with raw(zookeeper) as client:
        client.set(f"{root}/{folder}/{SWEEP.name}", script)
    assert SWEEP.name not in getattr(other.cluster(), folder)
    assert f"{folder}/{SWEEP.name}" in leader.cluster().foreign
    said = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 2  # once by each of them
    assert all(f"{SWEEP.name} in ZooKeeper is refused: it " in message for message in said)
    lead(leader)
    assert is_whole(other)
    assert is_whole(leader)


def test_a_cron_edited_by_hand_is_refused_and_mended(zookeeper, root, sessions, leader):
    path = f"{root}/jobs/{ARCHIVE.name}"
    with raw(zookeeper) as client:
        edited = client.get(path)[0].replace(b"0/2", b"0/1")
        client.set(path, edited)
    assert ARCHIVE.name not in leader.cluster().jobs
    lead(leader)
    assert leader.cluster().jobs[ARCHIVE.name] == ARCHIVE


@pytest.mark.parametrize("folder", ["jobs", "assignments", "instances", "leader"])
def test_what_does_not_belong_there_is_removed_with_all_that_is_below_it(zookeeper, root, sessions, leader, folder):
    names = ["junk", "b-0000000000", "名"]
    with raw(zookeeper) as client:
        for name in names:
            client.create(f"{root}/{folder}/{name}/below/more", b"junk", makepath=True)
        cluster = leader.cluster()
        assert cluster.foreign == {f"{folder}/{name}" for name in names}
        assert (set(cluster.instances), cluster.leader) == ({"a"}, "a")
        lead(leader)
        assert is_whole(leader)
        assert not set(client.get_children(f"{root}/{folder}")) & set(names)


def test_an_instance_whose_document_was_overwritten_lives_and_is_given_nothing(zookeeper, root, sessions, leader):
    with raw(zookeeper) as client:
        client.set(f"{root}/instances/a", b"junk")
    cluster = sessions.connect().cluster()
    assert (cluster.leader, cluster.instances["a"].handlers) == ("a", frozenset())
    leader.register(an_instance("a"))
    assert leader.cluster().instances["a"] == an_instance("a")


def test_a_tree_wiped_by_hand_grows_again(zookeeper, root, sessions, leader):
    with raw(zookeeper) as client:
        client.delete(root, recursive=True)
    cluster = leader.cluster()
    assert (cluster.instances, cluster.leader, cluster.jobs, cluster.assignments) == ({}, None, {}, {})
    leader.register(an_instance("a"))
    leader.campaign()
    lead(leader)
    other = sessions.connect()
    other.register(an_instance("b"))
    assert is_whole(other)
    assert set(leader.cluster().instances) == {"a", "b"}


def test_one_that_watched_a_tree_before_it_was_wiped_sees_what_grows_again(zookeeper, root, sessions, leader):
    other = sessions.connect()
    assert is_whole(other)
    with raw(zookeeper) as client:
        client.delete(root, recursive=True)
    assert other.cluster().jobs == {}
    leader.register(an_instance("a"))
    leader.campaign()
    lead(leader)
    assert is_whole(other)


def test_a_thousand_jobs_are_published_and_read(sessions, leader):
    from dataclasses import replace

    jobs = [replace(ARCHIVE, name=f"job-{number}") for number in range(1000)]
    owners = {job.name: {0: "a", 1: "a", 2: "a"} for job in jobs}
    epoch = leader.cluster().epoch
    assert leader.publish(jobs, epoch=epoch)
    assert leader.assign(owners, epoch=epoch)
    other = sessions.connect()
    assert eventually(lambda: other.cluster().jobs == {job.name: job for job in jobs}, "all jobs")
    assert other.cluster().assignments == OWNERS | owners


@pytest.mark.parametrize("child", [False, True])
def test_what_may_be_neither_read_nor_removed_keeps_nothing_else_back(zookeeper, root, sessions, leader, caplog, child):
    with raw(zookeeper) as client:
        client.add_auth("digest", "other:secret")
        closed = [make_digest_acl("other", "secret", all=True)]
        client.create(f"{root}/jobs/junk", b"junk", acl=closed)
        if child:
            client.create(f"{root}/jobs/junk/below", b"junk", acl=closed)
        other = sessions.connect()
        other.register(an_instance("b"))
        for _ in range(3):
            assert set(leader.cluster().instances) == {"a", "b"}
            lead(leader)
        assert leader.cluster().assignments == OWNERS
        said = [record for record in caplog.records if "cannot be removed" in record.message]
        assert len(said) == int(child)
        assert bool(client.exists(f"{root}/jobs/junk")) == child
