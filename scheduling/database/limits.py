"""How long a client may sit idle in a transaction before the database ends it and frees its locks.

A frozen process would otherwise keep its row locks for as long as the connection lives: eight hours on MySQL.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

LEDGER_IDLE_SECONDS = 2
WORKER_IDLE_SECONDS = 30
FENCE_IDLE_SECONDS = 2


def limit_idle(seconds: int, connection: BaseDatabaseWrapper) -> None:
    """Have the database end this connection once it has been idle in a transaction for `seconds`.

    MariaDB and PostgreSQL have such a limit; elsewhere nothing is set. SQLite's one write lock goes with a process that
    ends, but one that is frozen within a transaction keeps it from everybody until it thaws.
    """
    if getattr(connection, "mysql_is_mariadb", False):
        _set(connection, f"idle_transaction_timeout = {seconds:d}")
    elif connection.vendor == "postgresql":
        _set(connection, f"idle_in_transaction_session_timeout = '{seconds:d}s'")


def _set(connection: BaseDatabaseWrapper, variable: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION {variable}")
