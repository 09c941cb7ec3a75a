"""The line between a supervisor and its working process: it tells who is registered, and when the other has ended."""

import contextlib
import json
import logging
import os
import signal
import socket
import threading
from dataclasses import dataclass, field

from scheduling.management.ending import shortly

logger = logging.getLogger("scheduling.supervisor")

DRAINED, HANGS = b"drained\n", b"hangs\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """An instance as it last registered; `session_key` is what its session is ended by, and a secret."""

    instance: str
    session_key: str = field(repr=False)


class Lifeline:
    """The working process's end."""

    def __init__(self, descriptor: int) -> None:
        # What a handler starts must not keep it.
        os.set_inheritable(descriptor, False)
        self._line = socket.socket(fileno=descriptor)

    def tell(self, instance: str, session_key: str) -> None:
        """Say who is registered, and what its session is ended by."""
        with contextlib.suppress(OSError):  # the supervisor is gone, which `hold` sees
            self._line.sendall(json.dumps([instance, session_key]).encode() + b"\n")

    def tell_drained(self) -> None:
        """Say that the end which follows was asked for, and leaves nothing behind; the last that is said."""
        with contextlib.suppress(OSError):
            self._line.sendall(DRAINED)

    def tell_hangs(self) -> None:
        """Say that the end which follows is no fault of what runs."""
        with contextlib.suppress(OSError):
            self._line.sendall(HANGS)

    def hold(self) -> None:
        """From now on end with the supervisor, at once."""
        threading.Thread(target=self._await_end, name="lifeline", daemon=True).start()

    def _await_end(self) -> None:
        with contextlib.suppress(OSError):
            while self._line.recv(1):
                pass
        try:
            shortly(lambda: logger.error("the supervisor is gone: so is this process"))
        finally:
            if os.getpgrp() == os.getpid():
                os.killpg(0, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)


class SupervisorsEnd:
    """The supervisor's end: who `registered` last, whether it has `drained`, and whether its loop `hung`."""

    def __init__(self) -> None:
        self.registered: Registered | None = None
        self.drained = self.hung = False
        self._line, self.other = socket.socketpair()
        self._listener = threading.Thread(target=self._listen, name="listener", daemon=True)

    def listen(self) -> None:
        """Begin to listen, once the working process has its end."""
        self.other.close()
        self._listener.start()

    def hear_out(self, seconds: float) -> None:
        """Take what has been said until the other end was closed, or the last word came."""
        if self._listener.ident:
            self._listener.join(seconds)

    def close(self, seconds: float) -> None:
        """Hear the other end out, and close this one."""
        self.hear_out(seconds)
        self.other.close()
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError), self._line.makefile("rb") as lines:
            for line in lines:
                if line == DRAINED:
                    # What has been forked may hold the other end for long.
                    self.drained = True
                    return
                if line == HANGS:
                    self.hung = True
                    return
                # One that broke off in the middle tells nothing.
                if line.endswith(b"\n"):
                    instance, session_key = json.loads(line)
                    self.registered = Registered(instance=instance, session_key=session_key)
