"""The columns of the tables: session engines, by the settings that name them."""

OURS = "logins.engine"
CACHE = "cache"
CACHED_DB = "cached_db"
IGNORING = "cached_db, IGNORE_EXCEPTIONS"

COLUMNS = {
    OURS: "benchmarks.sessions.settings.ours",
    CACHE: "benchmarks.sessions.settings.cache",
    CACHED_DB: "benchmarks.sessions.settings.cached_db",
    IGNORING: "benchmarks.sessions.settings.cached_db_ignoring",
}
