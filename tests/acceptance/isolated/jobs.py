"""Jobs whose handlers run in processes of their own."""

import ctypes
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from django.contrib.auth.models import Group

from scheduling import Context, job


class Untold(Exception):
    """Can be neither pickled nor shown."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def __str__(self) -> str:
        raise RuntimeError("not even this")


@job("isolated-text", isolation="process", sharding_total_count=2)
def text(context: Context) -> str:
    time.sleep(0.5)
    return f"{os.getpid()} 学 {context.instance}"


@job("isolated-raise", isolation="process", sharding_total_count=2)
def fail(context: Context) -> None:
    raise Untold if context.item else ValueError("from a process: 失败")


@job("isolated-cancelled", isolation="process", timeout=6)
def cancelled(context: Context) -> str:
    context.progress(3, 10)
    while not context.cancelled:
        time.sleep(0.05)
    tell("stopped", context.token)
    return "stopped"


@job("isolated-once", isolation="process")
def once(context: Context) -> str:
    context.once("group", lambda: Group.objects.create(name="once"))
    with context.atomic():
        Group.objects.create(name="atomic")
    context.check()
    return str(context.once("group", lambda: Group.objects.create(name="twice")))


@job("isolated-dies", isolation="process", sharding_total_count=6)
def dies(context: Context) -> str:
    time.sleep(1)
    [kill, fault, leave, leave_quietly, run_out_of_memory, go_on][context.item]()
    return "went on"


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fault() -> None:
    ctypes.string_at(0)


def leave() -> None:
    os._exit(3)


def leave_quietly() -> None:
    os._exit(0)


def run_out_of_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    bytearray(2**31)


def go_on() -> None:
    time.sleep(2)


@job(
    "isolated-hangs",
    isolation="process",
    timeout=2,
    on_timeout="kill",
    retries=1,
    retry_delay=2,
)
def hangs(context: Context) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    grandchild = subprocess.Popen(["sleep", "3600"])
    tell("hangs", os.getpid(), grandchild.pid)
    time.sleep(3600)


@job("isolated-computes", isolation="process", sharding_total_count=2)
def computes(context: Context) -> None:
    tell("computes", os.getpid(), subprocess.Popen(["sleep", "3600"]).pid)
    if context.item:
        time.sleep(3600)
    sum(range(10**12))  # keeps the GIL all the while


@job("isolated-many", isolation="process", sharding_total_count=40)
def many(context: Context) -> str:
    time.sleep(0.1)
    return str(os.getpid())


@job("isolated-forks", isolation="process", sharding_total_count=2)
def forks(context: Context) -> str:
    if os.fork() == 0:
        if context.item:
            sys.exit(5)
        return "from a copy"
    time.sleep(1)
    return "from the process"


@job("threaded-forks")
def fork(context: Context) -> None:
    if pid := os.fork():
        tell("forked", pid, os.waitpid(pid, 0)[1])
    else:
        sys.exit(5)


@job("isolated-leaves", isolation="process", sharding_total_count=3)
def leave_behind(context: Context) -> None:
    if context.item == 2:
        os.closerange(3, 1000)
        time.sleep(3600)
    if os.fork() == 0:
        if context.item:
            os.setsid()
            tell("left", os.getpid())
        time.sleep(60)
        os._exit(0)
    time.sleep(0.5)
    os.abort()


@job("isolated-unnamed", isolation="process")
def end_by_a_signal_without_a_name(context: Context) -> None:
    os.kill(os.getpid(), 35)


@job("threaded-program")
def program(context: Context) -> str:
    started = subprocess.Popen(["sleep", "30"])
    started.terminate()
    try:
        return f"ended with {started.wait(10)}"
    finally:
        started.kill()


def tell(*words: object) -> None:
    """Append a line to a file beside the journal."""
    with Path(os.environ["PROBE_JOURNAL"]).with_name("told").open("a") as file:
        print(*words, file=file, flush=True)


if os.environ.get("PROBE_BREAKS_CHILDREN") and multiprocessing.parent_process():
    raise ImportError("the probe breaks the set-up of children, as it should")
