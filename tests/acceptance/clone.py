"""A copy of the repository as a fresh clone would have it."""

import shutil
import subprocess
from pathlib import Path

from tests.acceptance.site import ROOT

UNTRACKED = (".git", ".venv", "var", ".env", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")


def copy_repository(folder: Path) -> None:
    """Copy what git tracks or would track; where there is no git, all but what is known to be made here."""
    listed = tracked()
    if listed is None:
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*UNTRACKED), dirs_exist_ok=True)
    for name in listed or ():
        if (ROOT / name).is_file():  # not for one that was deleted and not committed yet
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def tracked() -> list[str] | None:
    """Return the names of the files that git tracks or does not ignore; None if there is no git to ask."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        return None
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.split("\0")[:-1] if done.returncode == 0 else None
