"""`make run`: installs, prepares the database, and runs the web server and two schedulers in one terminal."""

import os
import secrets
import signal
import socket
import subprocess
import sys

from deploy import lock
from deploy.install import PYTHON, ROOT, install
from deploy.processes import Processes

VENV_PYTHON = str(PYTHON.relative_to(ROOT))
SECRET_KEY = ROOT / "var" / "secret_key"


def main() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    port = checked_port(os.environ.get("PORT") or "8000")
    with lock.held() as holder:
        refuse_busy(port)
        install(ROOT / "requirements" / "base.txt")
        write_secret_key()
        password = prepare()
        refuse_busy(port)  # again: installing takes a while
        with Processes(ROOT, keep_open=holder) as processes:
            pids = {name: processes.start(name, command) for name, command in programs(port).items()}
            address = f"http://127.0.0.1:{port}/"
            lock.write_holder(holder, address, list(pids.values()))
            print(banner(address, pids, password), flush=True)
            if not processes.supervise():
                sys.exit("All programs have ended.")


def checked_port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 65535:
        sys.exit(f'PORT: "{text}" is outside 1-65535')
    return int(text)


def refuse_busy(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            sys.exit(f"Port {port} cannot be used ({error.strerror}). Choose another: PORT={port % 65535 + 1} make run")


def write_secret_key() -> None:
    """Write a key that only this user can read, whole or not at all."""
    if SECRET_KEY.exists():
        return
    draft = SECRET_KEY.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(50))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(SECRET_KEY)


def prepare() -> str:
    """Bring database and static files up to date; return the password of a new admin user, or nothing."""
    print("Preparing the database and the static files ...", flush=True)
    managed("migrate", "--verbosity=0")
    managed("collectstatic", "--noinput", "--verbosity=0")
    managed("seedresumes", "1000", "--if-empty")
    return output_of([VENV_PYTHON, "-m", "deploy.password", "--if-new"])  # last: a failure must not swallow it


def managed(*command: str) -> None:
    output_of([VENV_PYTHON, "manage.py", *command])


def output_of(command: list[str]) -> str:
    """Return what a command prints; where it fails, exit and show what it said."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr.strip()}\n`{' '.join(command)}` failed.")
    return done.stdout.strip()


def programs(port: int) -> dict[str, list[str]]:
    web = ["-m", "gunicorn", "config.wsgi", f"--bind=127.0.0.1:{port}", "--workers=2", "--threads=4"]
    scheduler = ["manage.py", "runscheduler"]
    return {
        "web": [VENV_PYTHON, *web, "--no-control-socket"],
        "scheduler-1": [VENV_PYTHON, *scheduler],
        "scheduler-2": [VENV_PYTHON, *scheduler],
    }


def banner(address: str, pids: dict[str, int], password: str) -> str:
    """Return what a newcomer must know: where the site is, who may enter, and which process is which."""
    known = f"{password} (shown only now)" if password else "as before"
    return "\n".join(
        [
            f"Site         {address}admin/",
            f"Sign in      admin, password {known}; `make password` sets a new one",
            *(f"{name:<12} pid {pid}" for name, pid in pids.items()),
            "Ctrl-C ends all.",
        ]
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
