"""One run: everything starts, faults happen, all is mended, jobs are disabled, and what is left is read."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import MySQLdb

from chaos import faults, ledger, reading
from chaos.plan import Planned, plan
from chaos.stage import NAMESPACE, NODES, SESSION, Stage, eventually
from chaos.values import History, Tree

START_SECONDS = 90.0
REST_SECONDS = 25.0
"""Longer than the shadow of the last fault: what is late then is late for no reason."""

MEND_SECONDS = 120.0
STEP_SECONDS = 0.1
SHARES_SECONDS = 0.5
STALL_SECONDS = 0.4
OLDEST = 20.0
"""Seconds: what has been due for longer, with all mended, is stuck."""

LATE = f"""
SELECT COUNT(*) FROM scheduling_execution WHERE live AND due_at < UTC_TIMESTAMP(6) - INTERVAL {OLDEST:.0f} SECOND
"""
SHOWN = "SELECT leader, document FROM scheduling_snapshot"
LIVE = "SELECT COUNT(*) FROM scheduling_execution WHERE live"
OPEN = "SELECT COUNT(*) FROM scheduling_fire WHERE unsettled"


def run(folder: Path, seed: int, seconds: float, settings: str) -> History:
    """Play one run and return what it left behind."""
    starting = time.time()
    with Stage(folder, settings) as stage, watched(stage):
        await_shares(stage, START_SECONDS)
        begin = time.time()
        stage.note("faults", {"kind": "start", "nodes": stage.names, "begin": starting, "end": begin})
        play(stage, plan(seed, seconds, NODES), seconds)
        heal(stage)
        facts: dict[str, Any] = {"seed": seed, "seconds": seconds, "session": SESSION, "nodes": stage.names}
        facts |= {"begin": begin, "end": time.time(), "tree": tree(stage)}
        rest(stage)
        facts["exits"] = {scheduler.name: scheduler.drain() for scheduler in stage.schedulers}
        return reading.read(folder, stage.mariadb.url, facts)


@contextlib.contextmanager
def watched(stage: Stage) -> Iterator[None]:
    """Note meanwhile when the machine itself stands still, and who owns which items."""
    done = threading.Event()
    threads = [threading.Thread(target=watch, args=(stage, done)) for watch in (watch_stalls, watch_shares)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def watch_stalls(stage: Stage, done: threading.Event) -> None:
    """Note when the machine itself stands still: then everything is late, and nobody's fault."""
    while not done.is_set():
        begin = time.time()
        done.wait(STEP_SECONDS)
        if time.time() > begin + STEP_SECONDS + STALL_SECONDS:
            stage.note("faults", {"kind": "stall", "nodes": (), "begin": begin, "end": time.time()})


def watch_shares(stage: Stage, done: threading.Event) -> None:
    """Note who leads and who owns which items, whenever that has changed; nothing while the database is away."""
    known: dict[str, Any] = {}
    while not done.wait(SHARES_SECONDS):
        with contextlib.suppress(MySQLdb.Error):
            for leader, document in ledger.rows(stage.mariadb.url, SHOWN):
                if known.get("") != leader:
                    stage.note("leads", {"at": time.time(), "instance": leader})
                known[""] = leader
                for job, owners in json.loads(document)["assignments"].items():
                    if known.get(job) != owners:
                        stage.note("shares", {"at": time.time(), "job": job, "owners": owners})
                    known[job] = owners


def play(stage: Stage, planned: list[Planned], seconds: float) -> None:
    """Let the faults begin when they are planned to, each beside those that still last."""
    since = time.monotonic()
    for each in planned:
        stage.over.wait(max(0.0, since + each.at - time.monotonic()))
        say(f"{time.monotonic() - since:6.1f} s  {each.kind}")
        faults.start(stage, each)
    stage.over.wait(max(0.0, since + seconds - time.monotonic()))
    for thread in stage.striking:
        thread.join()


def heal(stage: Stage) -> None:
    """Mend what may be left, and wait until five instances share all items and nothing is overdue."""
    say("healing")
    for scheduler in stage.schedulers:
        scheduler.mend()
    await_shares(stage, MEND_SECONDS)
    time.sleep(REST_SECONDS)
    if not eventually(lambda: count(stage, LATE) == 0, MEND_SECONDS):
        stage.note("troubles", {"text": f"with all mended, {count(stage, LATE)} executions are overdue"})


def rest(stage: Stage) -> None:
    """Disable all jobs, as a person would, and wait until nothing runs."""
    say("coming to rest")
    for job in ledger.jobs(stage.mariadb.url):
        order: Mapping[str, Any] = {"job": job.name, "set": {"enabled": False}}
        stage.note("periods", stage.editor.ask(order))
    if not eventually(lambda: count(stage, LIVE) == 0, MEND_SECONDS):
        stage.note("troubles", {"text": f"{count(stage, LIVE)} executions do not end"})
    if not eventually(lambda: count(stage, OPEN) == 0, MEND_SECONDS):
        stage.note("troubles", {"text": f"{count(stage, OPEN)} fires are not settled"})
    time.sleep(2)


def tree(stage: Stage) -> Tree:
    return ledger.tree(stage.ensemble.hosts, NAMESPACE)


def await_shares(stage: Stage, seconds: float) -> None:
    """Wait until as many instances as there are nodes live and own items; what does not come is a trouble."""
    if not eventually(lambda: is_shared(stage), seconds):
        stage.note("troubles", {"text": f"after {seconds:.0f} s not every scheduler owns its share"})


def is_shared(stage: Stage) -> bool:
    found = ledger.rows(stage.mariadb.url, "SELECT document FROM scheduling_snapshot")
    living = ledger.rows(
        stage.mariadb.url, "SELECT id FROM scheduling_instance WHERE joined_at IS NOT NULL AND died_at IS NULL"
    )
    shown = json.loads(found[0][0]) if found else {"assignments": {}}
    owners = {id for owned in shown["assignments"].values() for id in owned}
    return len(owners) == NODES and owners == {id for (id,) in living}


def count(stage: Stage, statement: str) -> int:
    return int(ledger.rows(stage.mariadb.url, statement)[0][0])


def say(what: str) -> None:
    print(what, flush=True)
