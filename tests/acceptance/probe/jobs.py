"""Jobs that tell a journal when they start and end: one line each, appended at once."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

from scheduling import Context, job
from scheduling.management import watchdog

if os.environ.get("PROBE_CRASHES") and "--supervised" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
if os.path.exists(os.environ.get("PROBE_FAILS_IF", "")) and "--supervised" in sys.argv:
    os.remove(os.environ["PROBE_FAILS_IF"])
    raise OSError("the probe cannot be imported this time")


def hangs(*_asked: object) -> None:
    """Share items out never, and let the watchdog find that soon."""
    watchdog.MOST = 3
    time.sleep(3600)


@job("probe-hundred", cron="*/2 * * * * ?", sharding_total_count=100)
def hundred(context: Context) -> None:
    note("start", context)
    time.sleep(random.uniform(0, 0.2))
    note("end", context)


@job("probe-hang", sharding_total_count=1)
def hang(context: Context) -> None:
    note("start", context)
    time.sleep(3600)


@job("probe-children", sharding_total_count=1)
def children(context: Context) -> None:
    """Start a child, and one that leaves the process group, and wait for them."""
    both = [subprocess.Popen(["sleep", "3600"], start_new_session=away) for away in (False, True)]
    note("start", context)
    for child in both:
        child.wait()


@job("probe-fail", sharding_total_count=1)
def fail(context: Context) -> None:
    raise ValueError("the probe fails, as it should: 失败")


@job("probe-nonsense", sharding_total_count=1)
def nonsense(context: Context) -> object:
    return {"done": 1}


@job("probe-killer", sharding_total_count=1)
def killer(context: Context) -> None:
    os._exit(70)


@job("probe-quits", sharding_total_count=1)
def quits(context: Context) -> None:
    """End the process as if all were well, once."""
    if context.attempt == 1:
        os._exit(0)


@job("probe-stays", sharding_total_count=1, timeout=1)
def stays(context: Context) -> None:
    """Be deaf to the timeout, with a thread that the interpreter's end waits for."""
    thread = threading.Thread(target=time.sleep, args=(300,), daemon=False)
    thread.start()
    thread.join()


@job("probe-thread", sharding_total_count=1)
def thread(context: Context) -> None:
    """Leave a thread behind that the interpreter's end waits for."""
    threading.Thread(target=time.sleep, args=(300,), daemon=False).start()


@job("probe-second", sharding_total_count=4)
def second(context: Context) -> str:
    time.sleep(1)
    return f"parameter {context.parameter}"


@job("probe-while", sharding_total_count=4)
def a_while(context: Context) -> None:
    time.sleep(3)


@job("probe-slow", sharding_total_count=4)
def slow(context: Context) -> None:
    time.sleep(8)


@job("probe-thousand", sharding_total_count=1000)
def thousand(context: Context) -> None:
    note("start", context)


@job("probe-tick", sharding_total_count=1)
def tick(context: Context) -> None:
    pass


def note(event: str, context: Context) -> None:
    """Append what happens to the journal."""
    words = (
        event,
        context.fire_time.isoformat(),
        context.item,
        context.token,
        context.attempt,
        os.getpid(),
        time.time(),
        context.instance,
    )
    line = " ".join(map(str, words)) + "\n"
    descriptor = os.open(os.environ["PROBE_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)
