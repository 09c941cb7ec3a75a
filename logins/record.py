"""One session as it stands, and how it is written under a key of Redis. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from logins.changes import values_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A session's JSON, how often it was changed, and when it expires."""

    text: str
    version: int
    expires_at: datetime

    @property
    def values(self) -> dict[str, Any]:
        return values_of(self.text)


def digest_of(session_id: str) -> str:
    """Return what stands for a session wherever it is kept: who reads it learns no id."""
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()


def written(record: Record) -> str:
    """Return a record as one line: version, expiry in seconds since 1970, JSON."""
    return f"{record.version} {record.expires_at.timestamp()} {record.text}"


def parsed(line: bytes | None) -> Record | None:
    """Return the record that a line is; None if it is none, as a lease or what nobody of us wrote."""
    try:
        version, expires_at, text = (line or b"").decode("ascii").split(" ", 2)
        return Record(text=text, version=int(version), expires_at=datetime.fromtimestamp(float(expires_at), UTC))
    except (ValueError, OverflowError, OSError):
        return None
