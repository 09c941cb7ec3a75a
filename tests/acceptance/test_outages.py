"""What a database can do to real schedulers: nothing is lost or done twice, and all goes on by itself afterwards."""

import contextlib
import signal
import threading
import time

import MySQLdb
import pytest

from deploy.servers.mariadb import NAME, QUICK, MariaDB
from deploy.servers.zookeeper import ZooKeeper
from tests.acceptance.outage import Schedulers
from tests.acceptance.site import connect, eventually
from tests.acceptance.site import site as lend_site

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(200)]

# A server that is killed must not lose what it has committed: that is a restore, which is another test.
KEEPS_ITS_WORD = [option for option in QUICK if "flush-log" not in option] + ["--innodb-flush-log-at-trx-commit=2"]
DEADLOCK, LOCK_WAIT = 1213, 1205


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
    schedulers.strike(server.kill, 2, server.start)


def test_a_database_that_is_frozen_for_longer_than_an_answer_may_take(schedulers, server):
    schedulers.strike(server.freeze, 11, server.thaw)


def test_a_database_that_is_read_only_for_a_while(schedulers, server):
    as_root(server, f"REVOKE SUPER, READ ONLY ADMIN ON *.* FROM {NAME}@'127.0.0.1'")  # who has these writes on
    end_connections(server)
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
    users = f"SELECT id FROM information_schema.processlist WHERE user = '{NAME}'"
    for (id,) in as_root(server, users):
        with contextlib.suppress(MySQLdb.OperationalError):  # it has gone by itself
            as_root(server, f"KILL CONNECTION {id}")
    time.sleep(0.15)
    return 1


def test_locks_that_somebody_holds_for_longer_than_a_statement_waits(schedulers, server):
    waits = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"
    with contextlib.closing(connect(schedulers.site.env["DATABASE_URL"])) as other:

        def lock():
            other.cursor().execute("SELECT id FROM scheduling_item ORDER BY id FOR UPDATE")
            eventually(lambda: int(as_root(server, waits)[0][1]), 10, "a scheduler waits")

        schedulers.strike(lock, 4, other.rollback)  # twice as long as innodb_lock_wait_timeout


def test_deadlocks_that_the_schedulers_lose(schedulers, server):
    count = "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'"
    schedulers.site.write("CREATE TABLE ballast (id int)")
    before = int(as_root(server, count)[0][1])
    with Repeated(lambda: lock_against_the_order(schedulers.site)) as against:
        schedulers.strike(against.begin, 4, against.end)
    met = int(as_root(server, count)[0][1]) - before
    print(f"{met} deadlocks, of which the schedulers lost {met - against.count}")
    assert met > against.count


def lock_against_the_order(site):
    """Lock items from the last to the first, as nobody should, in a transaction that is not worth undoing.

    Return how many deadlocks it lost: InnoDB undoes the one of the two that has written less.
    """
    with contextlib.closing(connect(site.env["DATABASE_URL"])) as other:
        cursor = other.cursor()
        cursor.execute("INSERT INTO ballast SELECT seq FROM seq_1_to_2000")
        cursor.execute("SELECT id FROM scheduling_item ORDER BY id DESC LIMIT 1200")
        try:
            for (id,) in cursor.fetchall():
                cursor.execute(f"SELECT id FROM scheduling_item WHERE id = {id} FOR UPDATE")
        except MySQLdb.OperationalError as error:
            if error.args[0] not in (DEADLOCK, LOCK_WAIT):
                raise
            return int(error.args[0] == DEADLOCK)
        finally:
            other.rollback()
        return 0


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
