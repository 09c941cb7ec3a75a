"""Ending this process, though some of its threads wait for ever, as where nobody reads the log any more."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

LAST_WORDS_SECONDS = 0.2


def end_at_once(code: int, last_words: Callable[[], object] | None = None) -> NoReturn:
    """End this process without the interpreter's end, which some threads may keep from coming."""
    try:
        if last_words:
            shortly(last_words)
        shortly(lambda: sys.stderr.flush())
    finally:
        os._exit(code)


def end_within(seconds: float, code: int) -> None:
    """End this process then, if the interpreter's end has not come: it waits for threads that handlers have left."""
    timer = threading.Timer(seconds, end_at_once, (code,))
    timer.daemon = True
    with contextlib.suppress(RuntimeError):  # the system gives no more threads
        timer.start()


def shortly(act: Callable[[], object]) -> None:
    """Do it on a thread of its own, for which this one waits no longer than a moment."""

    def attempt() -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # a full disk, a closed file, no file at all
            act()

    thread = threading.Thread(target=attempt, name="last words", daemon=True)
    thread.start()
    thread.join(LAST_WORDS_SECONDS)
