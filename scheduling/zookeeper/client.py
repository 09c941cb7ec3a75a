"""A kazoo client with guards: it answers in time or raises, and it always comes back.

What kazoo does by itself, and why that is not enough:

    a request while the connection is lost waits in a queue, for ever    → nothing is asked unless connected
    a request has no time limit                                          → one third of the session timeout
    a silent server is not noticed while requests are being sent         → a request out of time cuts the connection
    a server that was wiped refuses a client that has seen more, always  → the last zxid goes with the connection
    connecting may take the whole session timeout for each host          → one second
    the negotiated session timeout is not told                           → it is read from the server's answer
    a login that was refused ends the client's thread                    → a new client is made
    a transaction returns its errors                                     → `commit` raises the first cause
"""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kazoo.client import KazooClient, TransactionRequest
from kazoo.exceptions import (
    BadVersionError,
    KazooException,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
)
from kazoo.handlers.threading import KazooTimeoutError, SequentialThreadingHandler
from kazoo.protocol.serialization import Connect
from kazoo.protocol.states import Callback, KazooState
from kazoo.retry import KazooRetry
from kazoo.security import CREATOR_ALL_ACL

from scheduling.domain.errors import RegistryUnavailable
from scheduling.domain.errors import gettext_noop as _
from scheduling.zookeeper.address import Address

logger = logging.getLogger("scheduling.zookeeper")

CONNECT_SECONDS = 1.0
FIRST_CONNECT_SECONDS = 2.0
WINDOW = 100
"""Requests under way at one time; kazoo blocks its caller at 279."""

ANSWERS = (NoNodeError, NodeExistsError, BadVersionError, NotEmptyError, NoAuthError)
"""What a server says about a node; every other error says that nothing is known."""

Ask = Callable[[KazooClient], Any]


class GuardedClient:
    """One connection to an ensemble, made when it is first needed. Safe to use from several threads.

    `wake` is called on kazoo's threads whenever the connection is lost or found. `session_key` is the one of another
    client, whose session this one goes on with.
    """

    def __init__(self, address: Address, wake: Callable[[], None], session_key: str = "") -> None:
        self.connections = 0
        """How many connections there have been: what was read over an older one is out of date."""
        self._address = address
        self._begun = _client_id(session_key)
        self._wake = wake
        self._words = LastWords()
        self._negotiated = address.session_timeout
        self._client: KazooClient | None = None
        self._ended: KazooClient | None = None
        self._lock = threading.Lock()

    @property
    def session_timeout(self) -> float:
        """Return the seconds that the servers have granted, or before they were asked those to be asked for."""
        return self._negotiated

    @property
    def session(self) -> int | None:
        """Return the id of the session that requests are made in; None where there is none."""
        client_id = self._client.client_id if self._client else None
        return client_id[0] if client_id else None

    @property
    def session_key(self) -> str:
        """Return what another client needs to go on with the session; nothing where there is none."""
        client = self._client
        # Not by its `client_id`, which is None for as long as the connection is lost.
        return f"{client._session_id}:{client._session_passwd.hex()}" if client and client._session_id else ""

    def ask(self, request: Ask) -> Any:
        """Return the answer to one request; raise what a server says of a node, or `RegistryUnavailable`."""
        (answer,) = self.ask_all([request])
        if isinstance(answer, KazooException):
            raise answer
        return answer

    def ask_all(self, requests: Sequence[Ask]) -> list[Any]:
        """Return the answers to many requests, each a value or what a server says of a node."""
        client = self._connected()
        answers: list[Any] = []
        for start in range(0, len(requests), WINDOW):
            deadline = time.monotonic() + self._negotiated / 3
            with self._available(client):
                pending = [request(client) for request in requests[start : start + WINDOW]]
                answers += [_answer(each, deadline) for each in pending]
        return answers

    def commit(self, fill: Callable[[TransactionRequest], None]) -> list[Any]:
        """Commit a transaction; raise `Refused` with the operation that was refused, or `RegistryUnavailable`."""

        def request(client: KazooClient) -> Any:
            transaction = client.transaction()
            fill(transaction)
            return transaction.commit_async()

        results: list[Any] = self.ask(request)
        for index, result in enumerate(results):
            if isinstance(result, KazooException) and not isinstance(result, RolledBackError | RuntimeInconsistency):
                raise Refused(index, result)
        return results

    def let_watches_pass(self) -> None:
        """Return when every watch that fired before the last answer has been called; kazoo calls them elsewhere."""
        client = self._connected()
        passed = threading.Event()
        client.handler.dispatch_callback(Callback("watch", passed.set, ()))
        if not passed.wait(self._negotiated / 3):
            raise RegistryUnavailable(_("the watches of ZooKeeper are not called"))

    def close(self) -> None:
        """End the session, and wait for the servers' answer as long as for any other."""
        with self._lock:
            client, self._client = self._client, None
        if client:
            closing = threading.Thread(target=_close, args=(client,), name="zookeeper-close", daemon=True)
            closing.start()
            closing.join(self._negotiated / 3)

    def _connected(self) -> KazooClient:
        with self._lock:
            if self._client is not None and self._client is self._ended:
                # Its thread has ended, as after a login that was refused: nothing of it will come back.
                threading.Thread(target=_close, args=(self._client,), daemon=True).start()
                self._client = None
            client, is_new = self._client, self._client is None
            if client is None:
                client = self._client = self._make()
        if is_new:
            client.start_async().wait(FIRST_CONNECT_SECONDS)
        if not client.connected:
            raise RegistryUnavailable(
                _("there is no connection to ZooKeeper at %(hosts)s (%(why)s)"),
                hosts=self._address.hosts,
                why=self._words.last,
            )
        return client

    def _make(self) -> KazooClient:
        address = self._address
        client = KazooClient(
            hosts=address.hosts,
            timeout=address.session_timeout,
            client_id=self._begun,
            handler=QuickHandler(),
            connection_retry=KazooRetry(max_tries=-1, delay=0.05, backoff=1.5, max_delay=1.0),
            logger=self._words.logger,
            use_ssl=address.tls,
            check_hostname=address.tls,
            ca=address.ca or None,
            certfile=address.certificate or None,
            keyfile=address.key or None,
            default_acl=CREATOR_ALL_ACL if address.user else None,
            sasl_options=_login(address),
        )
        client.add_listener(lambda state: self._note(client, state))
        self._listen_for_timeout(client)
        self._listen_for_end(client)
        return client

    def _note(self, client: KazooClient, state: KazooState) -> None:
        # On kazoo's thread: nothing here may wait.
        if state != KazooState.CONNECTED:
            client.last_zxid = 0
        self.connections += 1
        self._wake()

    def _listen_for_timeout(self, client: KazooClient) -> None:
        connection = client._connection
        invoke = connection._invoke

        def listening(timeout: float, request: Any, *rest: Any, **named: Any) -> Any:
            answer = invoke(timeout, request, *rest, **named)
            if isinstance(request, Connect) and answer[0].time_out > 0:
                self._negotiated = answer[0].time_out / 1000
            return answer

        connection._invoke = listening

    def _listen_for_end(self, client: KazooClient) -> None:
        connection = client._connection
        loop = connection.zk_loop

        def listening() -> None:
            try:
                loop()
            finally:
                self._ended = client

        connection.zk_loop = listening

    @contextlib.contextmanager
    def _available(self, client: KazooClient) -> Iterator[None]:
        try:
            yield
        except KazooTimeoutError as error:
            _cut(client)
            raise RegistryUnavailable(
                _("ZooKeeper at %(hosts)s gave no answer in time"), hosts=self._address.hosts
            ) from error
        except Exception as error:
            # Also what is no error of kazoo's own, as of a socket that was cut.
            raise RegistryUnavailable(
                _("ZooKeeper at %(hosts)s did not answer a request: %(error)s"),
                hosts=self._address.hosts,
                error=type(error).__name__,
            ) from error


class Refused(Exception):
    """A transaction was not done: `error` is what the servers say of its operation number `index`."""

    def __init__(self, index: int, error: KazooException) -> None:
        super().__init__(index, error)
        self.index = index
        self.error = error


class LastWords(logging.Handler):
    """Keeps the last of kazoo's warnings: it gives one at each attempt to connect, and which one is why it fails."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = "not yet"
        self.logger = logging.Logger("kazoo", logging.WARNING)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.levelno >= logging.ERROR and message != self.last:
            # Without its traceback, which shows the session's password; and not at each of its attempts.
            logger.error("%s: %r", message, record.exc_info[1] if record.exc_info else None)
        if "Transition" not in message:
            self.last = message


class QuickHandler(SequentialThreadingHandler):  # type: ignore[misc]
    """kazoo's own threads, but a host that does not let us in is left after a second."""

    def create_connection(self, *args: Any, timeout: float, **named: Any) -> Any:
        return super().create_connection(*args, timeout=min(timeout, CONNECT_SECONDS), **named)


def _client_id(session_key: str) -> tuple[int, bytes] | None:
    session, _colon, password = session_key.partition(":")
    return (int(session), bytes.fromhex(password)) if session else None


def _answer(pending: Any, deadline: float) -> Any:
    try:
        return pending.get(timeout=max(0.0, deadline - time.monotonic()))
    except ANSWERS as error:
        return error


def _cut(client: KazooClient) -> None:
    """Drop the connection, so that kazoo tries the next server: this one is silent, which kazoo might not notice."""
    silent = client._connection._socket
    if silent is not None:
        with contextlib.suppress(OSError, ValueError):
            # Not the method of an encrypted one: that would let kazoo read what is encrypted as if it were not.
            socket.socket.shutdown(silent, socket.SHUT_RDWR)


def _close(client: KazooClient) -> None:
    with contextlib.suppress(Exception):
        client.stop()
        client.close()


def _login(address: Address) -> dict[str, str] | None:
    if not address.user:
        return None
    return {"mechanism": "DIGEST-MD5", "username": address.user, "password": address.password}
