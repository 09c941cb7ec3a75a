"""Message catalogues: `write` brings them up to date, `check` says which are stale, or not fully translated.

Runs with the Python of `.venv`, and needs GNU gettext.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APPS = ["logins", "scheduling", "resumes"]  # the texts of all other folders go to `locale/` at the top
LOCALE = ["--locale", "en", "--locale", "zh_Hans", "--ignore=.venv", "--ignore=build", "--ignore=var", "--verbosity=0"]


def main(action: str) -> None:
    if action == "write":
        write(ROOT)
    elif findings := check(ROOT):
        sys.exit(
            "\n".join(findings) + "\n`make messages` brings the catalogues up to date; then translate what is new."
        )


def write(root: Path) -> None:
    for app in APPS:
        (root / app / "locale").mkdir(exist_ok=True)
    output_of(root, sys.executable, "manage.py", "makemessages", *LOCALE, "--no-location", "--no-obsolete")
    output_of(root, sys.executable, "manage.py", "compilemessages", *LOCALE)


def check(root: Path) -> list[str]:
    """Return what is wrong with the catalogues, by writing them anew in a copy of the project."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "project"
        shutil.copytree(root, fresh, ignore=shutil.ignore_patterns(".*", "build", "var", "__pycache__"))
        write(fresh)
        catalogues = sorted(path.relative_to(fresh) for path in fresh.rglob("locale/*/LC_MESSAGES/*.po"))
        return [finding for catalogue in catalogues for finding in findings(catalogue, root, fresh)]


def findings(catalogue: Path, root: Path, fresh: Path) -> Iterator[str]:
    compiled = catalogue.with_suffix(".mo")
    if not (root / catalogue).exists() or source(root / catalogue) != source(fresh / catalogue):
        yield f"{catalogue} is not what the texts in the code ask for."
    elif not (root / compiled).exists() or compilation(root / compiled) != compilation(fresh / compiled):
        yield f"{compiled} is not what {catalogue.name} compiles to."
    if "en" in catalogue.parts:
        return  # the texts in the code are English
    statistics = output_of(fresh, "msgfmt", "--check-format", "--statistics", "--output-file=/dev/null", str(catalogue))
    if "fuzzy" in statistics or "untranslated" in statistics:
        yield f"{catalogue} has {statistics.strip()}"


def source(path: Path) -> list[str]:
    return undated(path.read_text(encoding="utf-8"))


def compilation(path: Path) -> list[str]:
    return undated(output_of(path.parent, "msgunfmt", path.name))


def undated(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith('"POT-Creation-Date')]


def output_of(directory: Path, *command: str) -> str:
    """Return what a command prints; where it fails, exit and show what it said."""
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stdout.strip()}\n`{' '.join(command)}` failed.")
    return done.stdout


if __name__ == "__main__":
    main(sys.argv[1])
