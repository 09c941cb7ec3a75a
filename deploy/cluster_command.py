"""`deploy/cluster`: ZooKeeper, MariaDB, three schedulers and the site, in the background.

Data, logs and pids are kept in `var/cluster/`.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping

from deploy import lock, packages
from deploy.cluster_programs import FOLDER, LOCK, NAMES, SCHEDULERS, Program, State, programs, state
from deploy.daemons import stop_all
from deploy.install import PYTHON, ROOT, install
from deploy.run import prepare

USAGE = """Usage: deploy/cluster start | stop | status | restart NAME
       deploy/cluster manage COMMAND …    run manage.py on the cluster's database, as in: manage seedresumes 1000"""
NO_CLUSTER = "There is no cluster: `make cluster` starts one."
UP_SECONDS = 60
SERVERS = ("zookeeper", "mariadb")


def main(arguments: list[str]) -> int:
    match arguments:
        case ["start"]:
            return alone(start)
        case ["stop"]:
            return alone(stop)
        case ["status"]:
            return status(programs(state())) if FOLDER.exists() else refuse(NO_CLUSTER, 1)
        case ["restart", name]:
            return alone(lambda: restart(name))
        case ["manage", *command]:
            return manage(command)
        case ["--help" | "-h" | "help"]:
            print(USAGE)
            return 0
    return refuse(USAGE, 2)


def alone(act: Callable[[], int]) -> int:
    """Act while no other of these commands does."""
    with lock.held(LOCK, "deploy/cluster"):
        return act()


def start() -> int:
    """Start what does not run yet."""
    packages.main([])
    install(ROOT / "requirements" / "base.txt")
    install(ROOT / "requirements.txt")
    kept = state()
    known = programs(kept)
    if not bring_up([known[name] for name in SERVERS], kept):
        return 1
    os.environ.update(kept.env)
    password = prepare()
    if not bring_up(known.values(), kept):
        return 1
    status(known)
    print(banner(password))
    return 0


def bring_up(wanted: Iterable[Program], kept: State) -> bool:
    """Start those that do not run, all at once, and wait until they are up."""
    missing = [program for program in wanted if not program.daemon.pid]
    for program in missing:
        program.daemon.keep_log()
        program.daemon.start(program.command(), ROOT, kept.env)
    for program in missing:
        if not program.daemon.await_up(program.is_up, UP_SECONDS):
            log = program.daemon.log.relative_to(ROOT)
            still = ", and goes on trying" if program.daemon.pid else ""
            said = program.daemon.last_words()
            print(f"{program.name} is not up{still}; {log} ends with:\n{said}", file=sys.stderr)
            return False
    return True


def stop() -> int:
    """End everything: schedulers first, which drain, the servers last."""
    if not FOLDER.exists():
        return refuse(NO_CLUSTER, 1)
    known = programs(state())
    for names in (SCHEDULERS, ("web",), SERVERS):
        end([known[name] for name in names])
    print("Stopped. The data stay in var/cluster/; `make cluster` goes on with them.")
    return 0


def end(wanted: list[Program]) -> None:
    for stubborn in stop_all([program.daemon for program in wanted], max(program.patience for program in wanted)):
        print(f"{stubborn.name} did not end in time, and was killed.")


def restart(name: str) -> int:
    """End one program and start it again."""
    if name not in NAMES:
        return refuse(f'"{name}" is none of {", ".join(NAMES)}.', 2)
    if not FOLDER.exists():
        return refuse(NO_CLUSTER, 1)
    kept = state()
    known = programs(kept)
    if away := [server for server in SERVERS if server != name and not known[server].daemon.pid]:
        return refuse(f"{' and '.join(away)} does not run: `deploy/cluster start` starts everything.", 1)
    end([known[name]])
    if not bring_up([known[name]], kept):
        return 1
    print(line(known[name]))
    return 0


def manage(command: list[str]) -> int:
    """Run a management command on the cluster's database, here in the terminal."""
    if not FOLDER.exists():
        return refuse(NO_CLUSTER, 1)
    return subprocess.run([str(PYTHON), "manage.py", *command], cwd=ROOT, env=os.environ | state().env).returncode


def status(known: Mapping[str, Program]) -> int:
    """Print what runs where; 0 if everything does."""
    for program in known.values():
        print(line(program))
    return 0 if all(program.daemon.pid for program in known.values()) else 1


def line(program: Program) -> str:
    pid = program.daemon.pid
    return f"{program.name:<12} {f'pid {pid}' if pid else 'does not run':<13} {program.address}".rstrip()


def banner(password: str) -> str:
    known = f"{password} (shown only now)" if password else "as before"
    return "\n".join(
        [
            f"Sign in      admin, password {known}; `deploy/cluster manage changepassword admin` sets a new one",
            "Logs         var/cluster/*.log",
            "Commands     deploy/cluster manage jobs list",
            "End it       deploy/cluster stop",
        ]
    )


def refuse(why: str, code: int) -> int:
    print(why, file=sys.stderr)
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except (RuntimeError, FileNotFoundError) as error:  # a server could not be installed, a program is not there
        sys.exit(str(error))
