"""What a database can do to real schedulers: nothing is lost or done twice, and all goes on by itself afterwards."""

import contextlib
import signal
import threading
import time

import pytest

from deploy.servers.mariadb import NAME, QUICK, MariaDB
from deploy.servers.zookeeper import ZooKeeper
from tests.acceptance.outage import Schedulers
from tests.acceptance.site import connect, eventually
from tests.acceptance.site import site as lend_site

pytestmark = [pytest.mark.acceptance, pytest.mark.outage, pytest.mark.timeout(200)]

# A server that is killed must not lose what it has committed: that is a restore, which is another test.
KEEPS_ITS_WORD = [option for option in QUICK if "flush-log" not in option] + ["--innodb-flush-log-at-trx-commit=2"]


@pytest.fixture(scope="module")
def server():
    with MariaDB(KEEPS_ITS_WORD) as lent:
        yield lent


@pytest.fixture(scope="module")
def schedulers(server, tmp_path_factory):
    """Two schedulers that outlive one fault after another."""
    with ZooKeeper() as zookeeper, lend_site(tmp_path_factory.mktemp("site"), server.url, zookeeper.url()) as site:
        yield Schedulers(site)


def root(server):
    """Connect as somebody whom no limit holds back."""
    import MySQLdb  # only where there is a MariaDB is its client

    return contextlib.closing(MySQLdb.connect(unix_socket=str(server.folder / "socket"), user="root", autocommit=True))


def as_root(server, *statements):
    with root(server) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall()


def test_an_instance_that_is_frozen_for_a_moment_is_late_and_loses_nothing(schedulers):
    frozen = schedulers.running[0]
    schedulers.strike(lambda: frozen.signal(signal.SIGSTOP), 2, lambda: frozen.signal(signal.SIGCONT))


def test_a_database_that_is_killed_and_comes_back(schedulers, server):
    schedulers.strike(server.kill, 3, server.start)


def test_a_database_that_is_frozen_for_longer_than_an_answer_may_take(schedulers, server):
    schedulers.strike(server.freeze, 11, server.thaw)


def test_a_database_that_is_read_only_for_a_while(schedulers, server):
    schedulers.strike(
        lambda: as_root(server, "SET GLOBAL read_only = 1"), 3, lambda: as_root(server, "SET GLOBAL read_only = 0")
    )
    assert "with the --read-only option" in schedulers.site.log_text()


def test_tables_that_are_locked_for_a_backup(schedulers, server):
    with root(server) as connection:
        cursor = connection.cursor()
        schedulers.strike(
            lambda: cursor.execute("FLUSH TABLES WITH READ LOCK"), 3, lambda: cursor.execute("UNLOCK TABLES")
        )


def test_connections_that_are_ended_again_and_again(schedulers, server):
    with Repeated(lambda: end_connections(server)) as ended:
        schedulers.strike(ended.begin, 4, ended.end)
    assert ended.count > 10


def end_connections(server):
    as_root(server, f"KILL CONNECTION USER {NAME}")
    time.sleep(0.15)
    return 1


def test_locks_that_somebody_holds_for_longer_than_a_statement_waits(schedulers, server):
    with contextlib.closing(connect(schedulers.site.env["DATABASE_URL"])) as other:

        def lock():
            other.cursor().execute("SELECT id FROM scheduling_item ORDER BY id FOR UPDATE")
            await_waiting(server)

        schedulers.strike(lock, 4, other.rollback)  # twice as long as innodb_lock_wait_timeout


def test_a_deadlock_that_a_scheduler_loses(schedulers, server):
    before = status(server, "Innodb_deadlocks")
    schedulers.site.write("CREATE TABLE ballast (id int)")
    with contextlib.closing(connect(schedulers.site.env["DATABASE_URL"])) as other:

        def meet_one():
            lock_against_the_order(other.cursor(), server)
            other.rollback()
            return status(server, "Innodb_deadlocks") > before

        schedulers.strike(lambda: eventually(meet_one, 40, "a deadlock"), 0, other.rollback)


def lock_against_the_order(cursor, server):
    """Lock executions and then items, as nobody should, while a scheduler has locked items and wants executions."""
    # Of two that wait for each other, InnoDB undoes the one that has written less: not this one.
    cursor.execute("INSERT INTO ballast SELECT seq FROM seq_1_to_5000")
    cursor.execute("SELECT id FROM scheduling_execution WHERE state = 'running' FOR UPDATE")
    await_waiting(server)
    cursor.execute("SELECT id FROM scheduling_item ORDER BY id FOR UPDATE")


def await_waiting(server):
    eventually(lambda: status(server, "Innodb_row_lock_current_waits"), 10, "a scheduler waits")


def status(server, variable):
    ((_name, value),) = as_root(server, f"SHOW GLOBAL STATUS LIKE '{variable}'")
    return int(value)


class Repeated:
    """Something done again and again on a thread, from `begin` to `end`; `count` sums up what it returned."""

    def __init__(self, act):
        self.count = 0
        self._act = act
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._repeat)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._ended.set()

    def begin(self):
        self._thread.start()

    def end(self):
        self._ended.set()
        self._thread.join()

    def _repeat(self):
        while not self._ended.is_set():
            self.count += self._act()
