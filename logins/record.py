"""One session as it stands, and how it is written under a key of Redis. Pure."""

import hashlib
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from logins.changes import values_of

COPY_SECONDS = 300
"""A copy lives for at most so long: by then it is read from the database again, and the outbox may forget."""

MOST_CHANGES = 2**62


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
    """Return a record as one line: version, expiry in seconds since 1970, checksum of the JSON, JSON."""
    return f"{record.version} {record.expires_at.timestamp()} {_checksum(record.text.encode())} {record.text}"


def parsed(line: bytes | None) -> Record | None:
    """Return the record that a line is; None if it is none, as a reservation or what nobody of us wrote."""
    try:
        version, expires_at, checksum, text = (line or b"").split(b" ", 3)
        if int(checksum) != _checksum(text) or not 0 < int(version) < MOST_CHANGES:
            return None
        until = datetime.fromtimestamp(float(expires_at), UTC)
        return Record(text=text.decode("ascii"), version=int(version), expires_at=until)
    except (ValueError, OverflowError, OSError):
        return None


def _checksum(text: bytes) -> int:
    return zlib.crc32(text)
