"""`make reset`: forgets what `make run` has kept in `var/`."""

import shutil

from deploy import lock


def main() -> None:
    with lock.held():
        for path in lock.LOCK.parent.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != lock.LOCK:
                path.unlink()
        lock.LOCK.unlink()  # last: until then it keeps others away
    print("Forgotten: the database, the secret key and the logs in var/. `make run` begins anew.")


if __name__ == "__main__":
    main()
