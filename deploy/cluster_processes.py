"""Starting and ending the programs of the cluster, with what goes wrong said to the terminal."""

import sys
from collections.abc import Iterable

from deploy.cluster_programs import Program, State
from deploy.daemons import stop_all
from deploy.install import ROOT

UP_SECONDS = 60


def bring_up(wanted: Iterable[Program], kept: State) -> bool:
    """Start those that do not run, all at once, and wait until they are up."""
    missing = [program for program in wanted if not program.daemon.pid]
    for program in missing:
        program.daemon.keep_log()
        program.daemon.start(program.command(), ROOT, {**kept.env, **program.env})
    for program in missing:
        if not program.daemon.await_up(program.is_up, UP_SECONDS):
            log = program.daemon.log.relative_to(ROOT)
            still = ", and goes on trying" if program.daemon.pid else ""
            said = program.daemon.last_words()
            print(f"{program.name} is not up{still}; {log} ends with:\n{said}", file=sys.stderr)
            return False
    return True


def end(wanted: list[Program]) -> None:
    for stubborn in stop_all([program.daemon for program in wanted], max(program.patience for program in wanted)):
        print(f"{stubborn.name} did not end in time, and was killed.")
