"""The virtual environment `.venv`: making it, and installing into it what a requirements file asks for."""

import hashlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = ROOT / "var" / "install.log"


def main(requirements: list[str]) -> None:
    for name in requirements:
        install(ROOT / name)


def install(requirements: Path) -> None:
    """Install a requirements file unless it is the one that was installed last; exit in one line if that fails."""
    make_venv()
    stamp = VENV / f"{requirements.stem}.sha256"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    name = requirements.relative_to(ROOT)
    print(f"Installing {name} into .venv ...", flush=True)
    if not logged([str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(name)]):
        sys.exit(f"pip could not install {name}: is the network there? {LOG.relative_to(ROOT)} has its words.")
    stamp.write_text(wanted)


def make_venv() -> None:
    """Make `.venv` where there is none, or only half of one, or where the Python that it was made from is gone."""
    if PYTHON.exists() and (VENV / "bin" / "pip").exists():
        return
    if find_spec("ensurepip") is None or find_spec("venv") is None:
        sys.exit(f"{sys.executable} has no venv module: apt install python3-venv, or name another: PYTHON=... make run")
    print(f"Making .venv with {sys.executable} ...", flush=True)
    if not logged([sys.executable, "-m", "venv", "--clear", str(VENV)]):
        sys.exit(f"{sys.executable} could not make .venv; {LOG.relative_to(ROOT)} has its words.")


def logged(command: list[str]) -> bool:
    """Run a command whose output goes to the log; say whether it succeeded."""
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("wb") as log:
        return subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT).returncode == 0


if __name__ == "__main__":
    main(sys.argv[1:])
