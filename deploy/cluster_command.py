"""`deploy/cluster`: ZooKeeper, MariaDB, Redis, three schedulers, three web replicas and nginx, in the background.

Data, logs and pids are kept in `var/cluster/`.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping

from deploy import cluster_web, lock, packages, rolling
from deploy.cluster_processes import bring_up, end
from deploy.cluster_programs import (
    FOLDER,
    FORMER,
    LOCK,
    NAMES,
    REPLICAS,
    SCHEDULERS,
    SERVERS,
    WEB_SECONDS,
    Program,
    programs,
    state,
)
from deploy.daemons import Daemon, stop_all
from deploy.install import PYTHON, ROOT, install
from deploy.run import prepare

USAGE = """Usage: deploy/cluster start | stop | status | restart NAME | rolling-restart
       deploy/cluster manage COMMAND …    run manage.py on the cluster's database, as in: manage seedresumes 1000"""
NO_CLUSTER = "There is no cluster: `make cluster` starts one."
NEEDED = ("zookeeper", "mariadb")  # Redis may be away: sessions are in the database too


def main(arguments: list[str]) -> int:
    match arguments:
        case ["--help" | "-h" | "help"]:
            print(USAGE)
            return 0
        case ["start"]:
            return alone(start)
        case ["restart", name] if name not in NAMES:
            return refuse(f'"{name}" is none of {", ".join(NAMES)}.', 2)
        case ["stop" | "status" | "rolling-restart"] | ["restart", _] | ["manage", *_]:
            return act_on_cluster(arguments) if FOLDER.exists() else refuse(NO_CLUSTER, 1)
    return refuse(USAGE, 2)


def act_on_cluster(arguments: list[str]) -> int:
    """Do what can only be done to a cluster that is there."""
    match arguments:
        case ["stop"]:
            return alone(stop)
        case ["restart", name]:
            return alone(lambda: restart(name))
        case ["rolling-restart"]:
            return alone(rolling_restart)
        case ["manage", *command]:
            return manage(command)
    return status(programs(state()))


def alone(act: Callable[[], int]) -> int:
    """Act while no other of these commands does."""
    with lock.held(LOCK, "deploy/cluster"):
        return act()


def start() -> int:
    """Start what does not run yet."""
    packages.main(packages.of_cluster())
    install(ROOT / "requirements" / "base.txt")
    install(ROOT / "requirements.txt")
    kept = state()
    known = programs(kept)
    end_former()
    if not bring_up([known[name] for name in SERVERS], kept):
        return 1
    os.environ.update(kept.env)
    password = prepare()
    if not bring_up(known.values(), kept):
        return 1
    cluster_web.put_back(kept)
    status(known)
    print(banner(password, known["nginx"].address))
    return 0


def stop() -> int:
    """End everything: schedulers first, which drain, the servers last."""
    known = programs(state())
    for names in (SCHEDULERS, ("nginx",), REPLICAS, SERVERS):
        end([known[name] for name in names])
    end_former()
    print("Stopped. The data stay in var/cluster/; `make cluster` goes on with them.")
    return 0


def end_former() -> None:
    """End what a cluster of before may have left running."""
    stop_all([Daemon(name=name, folder=FOLDER) for name in FORMER], WEB_SECONDS)


def restart(name: str) -> int:
    """End one program and start it again."""
    kept = state()
    known = programs(kept)
    if away := [server for server in NEEDED if server != name and not known[server].daemon.pid]:
        return refuse(f"{' and '.join(away)} does not run: `deploy/cluster start` starts everything.", 1)
    end([known[name]])
    if not bring_up([known[name]], kept):
        return 1
    cluster_web.put_back(kept)
    print(line(known[name]))
    return 0


def rolling_restart() -> int:
    """Restart the web replicas one by one, with no error for anybody."""
    kept = state()
    if not programs(kept)["nginx"].daemon.pid:
        return refuse("nginx does not run: `deploy/cluster start` starts everything.", 1)
    rolling.restart(cluster_web.replicas(kept), cluster_web.balancer(kept), say=say)
    return 0


def say(line: str) -> None:
    print(line, flush=True)


def manage(command: list[str]) -> int:
    """Run a management command on the cluster's database, here in the terminal."""
    return subprocess.run([str(PYTHON), "manage.py", *command], cwd=ROOT, env=os.environ | state().env).returncode


def status(known: Mapping[str, Program]) -> int:
    """Print what runs where; 0 if everything does."""
    for program in known.values():
        print(line(program))
    return 0 if all(program.daemon.pid for program in known.values()) else 1


def line(program: Program) -> str:
    pid = program.daemon.pid
    return f"{program.name:<12} {f'pid {pid}' if pid else 'does not run':<13} {program.address}".rstrip()


def banner(password: str, address: str) -> str:
    known = f"{password} (shown only now)" if password else "as before"
    return "\n".join(
        [
            f"Site         {address}",
            f"Sign in      admin, password {known}; `deploy/cluster manage changepassword admin` sets a new one",
            "Logs         var/cluster/*.log, var/cluster/nginx/*.log",
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
