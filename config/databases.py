"""What each kind of database must be told so that the ledger can trust it."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environ import Env

SQLITE = "django.db.backends.sqlite3"
MYSQL = "django.db.backends.mysql"

OPTIONS: dict[str, dict[str, Any]] = {
    SQLITE: {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
    },
    MYSQL: {
        "charset": "utf8mb4",
        "isolation_level": "read committed",
        "init_command": "SET time_zone='+00:00', sql_mode='STRICT_TRANS_TABLES', innodb_lock_wait_timeout=2",
    },
}


def database(url: str, root: Path) -> dict[str, Any]:
    """Return Django's description of the database at the URL, whose query overrides single options.

    A relative SQLite path counts from `root`, not from the working directory: each process must see the same file.
    """
    scheme = url.partition(":")[0]  # the only part that may be repeated: the rest can hold a password
    engine = Env.DB_SCHEMES.get(scheme)
    if engine not in OPTIONS:
        raise ImproperlyConfigured(f'DATABASE_URL: "{scheme}" is neither sqlite nor mysql')
    try:
        described: dict[str, Any] = Env.db_url_config(url)
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL: {error}") from error
    if engine == SQLITE and described["NAME"] != ":memory:":
        described["NAME"] = str(root / described["NAME"])
    described["OPTIONS"] = OPTIONS[engine] | described.get("OPTIONS", {})
    for name, default in OPTIONS[engine].items():
        if type(given := described["OPTIONS"][name]) is not type(default):
            raise ImproperlyConfigured(f'DATABASE_URL: {name}="{given}" is not like {default!r}')
    return {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True} | described
