"""Where the ZooKeeper registry is and how to enter it, read from `REGISTRY_URL`.

    zookeeper://[user:password@]host:2181,host:2181/namespace[?option=value&…]

`user` and `password` log in by SASL (DIGEST-MD5), and only that user may then read or write what is created.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from scheduling.domain.errors import InvalidAddress
from scheduling.domain.errors import gettext_noop as _

SCHEME = "zookeeper"
SESSION_TIMEOUT = 6.0
PORT = 2181
LABEL = r"[a-zA-Z0-9_-]{1,63}"
HOST = re.compile(rf"(\[[0-9a-fA-F:.]+\]|{LABEL}(?:\.{LABEL})*\.?)(?::(\d{{1,5}}))?")
SEGMENT = re.compile(r"[a-zA-Z0-9._-]+")
TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An ensemble and a namespace in it; `session_timeout` in seconds is what is asked for, the servers may bound it.

    `tls` encrypts, and checks the servers' host names against their certificates, which the system's authorities or
    `ca` (a file) have signed; `certificate` and `key` (files) are this side's own.
    """

    hosts: str
    namespace: str
    session_timeout: float = SESSION_TIMEOUT
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca: str = ""
    certificate: str = ""
    key: str = ""

    def missing_files(self) -> list[str]:
        """Return which of the files it names are not there."""
        return [file for file in (self.ca, self.certificate, self.key) if file and not Path(file).is_file()]

    def __str__(self) -> str:
        return f"{SCHEME}://{self.hosts}{self.namespace}"


def parse_address(url: str) -> Address:
    """Read a URL; raise `InvalidAddress` that names what is wrong, but never a password."""
    try:
        split = urlsplit(url)
    except ValueError as error:
        raise InvalidAddress(_("it cannot be read: check its brackets")) from error
    if split.fragment or ("@" in url and "@" not in split.netloc):
        # Nothing of it may be shown: part of it is a password.
        raise InvalidAddress(_("write /, # and ? of a password as %(codes)s"), codes="%2F, %23, %3F")
    login, _at, hosts = split.netloc.rpartition("@")
    user, _colon, password = login.partition(":")
    if bool(user) != bool(password):
        raise InvalidAddress(_("write user:password@ before the hosts, or neither of them"))
    return Address(
        hosts=",".join(_host(host) for host in hosts.split(",")),
        namespace=_namespace(split.path),
        user=unquote(user),
        password=unquote(password),
        **_options(split.query),
    )


def _host(text: str) -> str:
    found = HOST.fullmatch(text)
    if not found or not 1 <= int(found[2] or PORT) <= 65535:
        raise InvalidAddress(_("%(host)s is no host: write host1:2181,host2:2181"), host=repr(text))
    return f"{found[1]}:{found[2] or PORT}"


def _namespace(path: str) -> str:
    segments = path.strip("/").split("/")
    if any(not SEGMENT.fullmatch(s) or s in (".", "..") for s in segments) or segments[0] == "zookeeper":
        raise InvalidAddress(
            _("%(path)s is no namespace: write names of a-z, 0-9, “-”, “_” and “.”, as in /data-archive-job"),
            path=repr(path),
        )
    return "/" + "/".join(segments)


def _options(query: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in options:
            raise InvalidAddress(_("%(name)s is written twice: write it once"), name=name)
        match name:
            case "session_timeout":
                options[name] = _session_timeout(value)
            case "tls":
                options[name] = _truth(name, value)
            case "ca" | "certificate" | "key":
                options[name] = value
            case _:
                known = "session_timeout, tls, ca, certificate, key"
                raise InvalidAddress(_("%(name)s is no option: write %(known)s"), name=repr(name), known=known)
    if bool(options.get("certificate")) != bool(options.get("key")):
        raise InvalidAddress(_("certificate and key belong together: write both or neither"))
    if not options.get("tls") and (options.get("ca") or options.get("key")):
        raise InvalidAddress(_("ca, certificate and key need tls=true"))
    return options


def _session_timeout(text: str) -> float:
    if not re.fullmatch(r"\d{1,2}(\.\d+)?", text) or not 1 <= float(text) <= 60:
        raise InvalidAddress(_("session_timeout %(value)s is outside 1-60 seconds"), value=repr(text))
    return float(text)


def _truth(name: str, text: str) -> bool:
    if text not in TRUTHS:
        raise InvalidAddress(_("%(name)s is %(value)s: write true or false"), name=name, value=repr(text))
    return TRUTHS[text]
