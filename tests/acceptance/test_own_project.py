"""The app in a project of one's own, step by step as the README has them."""

import re
import signal
import sys

import pytest

from tests.acceptance.clone import copy_repository
from tests.acceptance.site import eventually

PYTHON = ".venv/bin/python"

JOBS = """\
from scheduling import job


@job("tick", cron="* * * * * ?")
def tick(context):
    with open("ticks", "a") as file:
        file.write(f"{context.fire_time}\\n")
"""


@pytest.mark.acceptance
@pytest.mark.timeout(300)
def test_a_new_project_with_the_app_and_one_jobs_py_sees_its_job_fire(terminal, tmp_path):
    package = tmp_path / "package"
    copy_repository(package)
    terminal.run(sys.executable, "-m", "venv", ".venv")

    # 1. pip install <this repository>
    terminal.run(PYTHON, "-m", "pip", "install", str(package), timeout=200)
    assert missing_files(package, terminal.folder) == set()

    # As everybody does: django-admin startproject mysite .; python manage.py startapp shop
    terminal.run(".venv/bin/django-admin", "startproject", "mysite", ".")
    terminal.run(PYTHON, "manage.py", "startapp", "shop")

    # 2. "scheduling" into INSTALLED_APPS (and "shop", which is one's own)
    add_to_installed_apps(terminal.folder / "mysite" / "settings.py", "scheduling", "shop")

    # 3. shop/jobs.py
    (terminal.folder / "shop" / "jobs.py").write_text(JOBS)
    check_has_no_errors(terminal)

    # 4. python manage.py migrate
    assert "tick: created" in terminal.run(PYTHON, "manage.py", "migrate")

    # 5. python manage.py jobs list
    assert re.search(r"^tick +enabled +\* \* \* \* \* \? ", terminal.run(PYTHON, "manage.py", "jobs", "list"), re.M)

    # 6. python manage.py runscheduler
    scheduler = terminal.start(PYTHON, "manage.py", "runscheduler")
    ticks = terminal.folder / "ticks"
    eventually(lambda: ticks.exists() and len(ticks.read_text().splitlines()) >= 3, 30, "the job fires")
    eventually(lambda: len(finished(scheduler.output)) >= 3, 10, "the log says so")
    scheduler.process.send_signal(signal.SIGTERM)
    assert scheduler.wait(30) == 0
    assert "drained" in scheduler.output
    assert terminal.processes() == {}


def missing_files(package, project):
    """Return which files of the app were left behind by the installation."""
    sources = {path.relative_to(package) for path in (package / "scheduling").rglob("*") if path.is_file()}
    wanted = {path for path in sources if path.suffix not in (".po", ".pyc") and "tests" not in path.parts}
    (installed,) = (project / ".venv" / "lib").glob("python*/site-packages")
    return {str(path) for path in wanted if not (installed / path).is_file()}


def add_to_installed_apps(settings, *apps):
    text = settings.read_text()
    start = "INSTALLED_APPS = [\n"
    assert start in text
    settings.write_text(text.replace(start, start + "".join(f'    "{app}",\n' for app in apps)))


def check_has_no_errors(terminal):
    """Only that SQLite is left at Django's defaults is remarked upon."""
    found = terminal.run(PYTHON, "-m", "django", "check", DJANGO_SETTINGS_MODULE="mysite.settings")
    assert re.findall(r"\((\w+\.[CEW]\d+)\)", found) == ["scheduling.W001"]


def finished(output):
    return re.findall(r"tick \S+Z item 0: succeeded", output)
