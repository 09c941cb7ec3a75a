"""`make reset`: forgets what `make run` and `make cluster` have kept in `var/`."""

import shutil
import sys

from deploy import lock
from deploy.cluster_programs import FOLDER, LOCK, programs, state


def main() -> None:
    with lock.held(LOCK, "deploy/cluster"), lock.held():
        if FOLDER.exists() and any(program.daemon.pid for program in programs(state()).values()):
            sys.exit("The cluster runs: `deploy/cluster stop` ends it.")
        for path in lock.LOCK.parent.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path not in (lock.LOCK, LOCK):
                path.unlink()
        lock.LOCK.unlink()  # these last: until then they keep others away
        LOCK.unlink()
    print("Forgotten: the databases, the secret keys and the logs in var/. `make run` and `make cluster` begin anew.")


if __name__ == "__main__":
    main()
