"""The rig's jobs: of each misfire policy, with effects, failing, lost, attempted again, hanging, dying."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from django.db import connection

from chaos import journal
from scheduling import Context, job

JOURNAL = os.environ.get("CHAOS_JOURNAL", "")
INSIDE = os.environ.get("CHAOS_INSIDE", "")
NODE = os.environ.get("CHAOS_NODE", "")

EFFECT = "INSERT INTO chaos_effect (way, job, item, execution, attempt, token) VALUES (%s, %s, %s, %s, %s, %s)"
SEEN = "SELECT COUNT(*) FROM chaos_effect WHERE job = %s AND item = %s AND token < %s"


@job("quick-skip", cron="* * * * * ?", misfire="skip")
@job("quick-once", cron="* * * * * ?", misfire="fire_once")
@job("quick-all", interval=2, misfire="fire_all")
def quick(context: Context) -> None:
    with noted(context):
        pass


@job("sharded", cron="*/2 * * * * ?", sharding_total_count=8)
def sharded(context: Context) -> None:
    with noted(context):
        time.sleep(random.uniform(0, 0.3))


@job("slow-once", cron="*/5 * * * * ?", sharding_total_count=10, misfire="fire_once")
@job("slow-skip", interval=7, sharding_total_count=2, misfire="skip")
@job("slow-all", cron="*/15 * * * * ?", sharding_total_count=2, misfire="fire_all")
def slow(context: Context) -> None:
    with noted(context):
        time.sleep(random.uniform(3, 10))


@job("lossy", cron="*/4 * * * * ?", sharding_total_count=2, failover=False)
def lossy(context: Context) -> None:
    with noted(context):
        time.sleep(random.uniform(1, 3))


@job("flaky", cron="*/3 * * * * ?", sharding_total_count=3)
def flaky(context: Context) -> None:
    with noted(context):
        if random.random() < 0.3:
            raise ValueError("fails now and then, as it should")


@job("retried", cron="*/20 * * * * ?", sharding_total_count=3, retries=2, retry_delay=1)
def retried(context: Context) -> None:
    with noted(context):
        if random.random() < 0.5:
            raise ValueError("fails every second time, as it should")


@job("overrun", cron="*/20 * * * * ?", sharding_total_count=2, timeout=2, retries=1, retry_delay=1)
def overrun(context: Context) -> None:
    """Take longer than allowed now and then, and do not look at `cancelled`."""
    with noted(context):
        time.sleep(random.choice([random.uniform(0.2, 1.5), random.uniform(2.5, 8)]))


@job(
    "isolated",
    cron="*/15 * * * * ?",
    sharding_total_count=2,
    isolation="process",
    timeout=4,
    on_timeout="kill",
    retries=1,
    retry_delay=1,
)
def isolated(context: Context) -> None:
    """Die, or hang, in a process of its own now and then."""
    with noted(context):
        match random.randrange(5):
            case 0:
                note("end", context, outcome="died")
                os.kill(os.getpid(), signal.SIGKILL)
            case 1:
                time.sleep(60)
            case _:
                time.sleep(0.1)


@job("fenced", cron="*/2 * * * * ?", sharding_total_count=5)
def fenced(context: Context) -> None:
    """Write two rows in one transaction that is open for a while; note first which rows of others are there."""
    with noted(context):
        note("look", context, seen=count_seen(context))
        time.sleep(random.uniform(0, 0.2))
        with context.atomic():
            write("atomic", context)
            with inside("atomic"):
                time.sleep(random.uniform(0.2, 1.5))
            write("atomic", context)


@job("only-once", cron="*/2 * * * * ?", sharding_total_count=5)
def only_once(context: Context) -> None:
    """Write one row exactly once; linger before and after it, so that a fault finds both."""
    with noted(context):
        note("look", context, seen=count_seen(context))
        time.sleep(random.uniform(0, 0.5))
        context.once("pay", lambda: pay(context))
        time.sleep(random.uniform(0, 1))


def pay(context: Context) -> None:
    write("once", context)
    with inside("once"):
        time.sleep(random.uniform(0, 0.5))


@contextlib.contextmanager
def noted(context: Context) -> Iterator[None]:
    """Note the start first thing, and the end with its outcome last thing."""
    note("start", context)
    try:
        yield
    except BaseException as error:
        note("end", context, outcome=type(error).__name__)
        raise
    note("end", context, outcome="done")


def note(event: str, context: Context, **more: object) -> None:
    attempt = context._attempt  # run and execution are not the handler's to know, but the checker's
    place = {"job": context.job, "item": context.item, "fire_time": int(context.fire_time.timestamp())}
    place |= {"run": attempt.run, "execution": attempt.execution, "attempt": context.attempt, "token": context.token}
    who = {"node": NODE, "instance": context.instance, "pid": os.getpid()}
    journal.append(JOURNAL, {"event": event, "at": time.time(), **place, **who, **more})


def write(way: str, context: Context) -> None:
    execution = context._attempt.execution
    with connection.cursor() as cursor:
        cursor.execute(EFFECT, [way, context.job, context.item, execution, context.attempt, context.token])


def count_seen(context: Context) -> int:
    with connection.cursor() as cursor:
        cursor.execute(SEEN, [context.job, context.item, context.token])
        return int(cursor.fetchone()[0])


@contextlib.contextmanager
def inside(way: str) -> Iterator[None]:
    """Tell the rig, by a file, that this process is within a transaction of some way, after its first write."""
    file = Path(INSIDE, f"{NODE}.{os.getpid()}.{way}.{random.randrange(10**9)}")
    file.touch()
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
