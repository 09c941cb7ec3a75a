"""System checks: what is wrong with the settings, the declarations or the rows is said before anything runs."""

from scheduling.checks.declarations import check_declarations, declaration_problems, row_problems
from scheduling.checks.ledger import check_ledger, connection_limit_warnings, connection_warnings, rowless_warnings
from scheduling.checks.settings import (
    DATABASE_URL,
    SQLITE_OPTIONS,
    check_database_options,
    check_settings,
    database_option_problems,
    registry_url,
)

__all__ = [
    "DATABASE_URL",
    "SQLITE_OPTIONS",
    "check_database_options",
    "check_declarations",
    "check_ledger",
    "check_settings",
    "connection_limit_warnings",
    "connection_warnings",
    "database_option_problems",
    "declaration_problems",
    "registry_url",
    "row_problems",
    "rowless_warnings",
]
