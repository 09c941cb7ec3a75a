"""The database's clock, the one that decides whether something is due."""

from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Now
from django.db.models.sql.compiler import SQLCompiler

# NOW() is session-local on MySQL, and stands still within a transaction on PostgreSQL.
CLOCKS = {
    "mysql": "UTC_TIMESTAMP(6)",
    "postgresql": "CLOCK_TIMESTAMP()",
    "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')",
}


class DatabaseNow(Now):
    """The database's clock within a statement."""

    def as_mysql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template=CLOCKS["mysql"], **context)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template=CLOCKS["postgresql"], **context)


def database_now() -> datetime:
    """Return the database's clock, aware, in UTC."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {CLOCKS[connection.vendor]}", ())
        (read,) = cursor.fetchone()
    now: datetime = datetime.fromisoformat(read) if isinstance(read, str) else read
    return now.astimezone(UTC) if now.tzinfo else now.replace(tzinfo=UTC)
