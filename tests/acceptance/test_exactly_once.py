"""The code of docs/exactly-once.md as it stands: an instance is frozen in the middle of it, and wakes up too late."""

import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deploy.servers.mariadb import MariaDB
from tests.acceptance.site import ROOT, connect, eventually, new_database
from tests.acceptance.site import site as lend_site

pytestmark = pytest.mark.acceptance

PAGE = (ROOT / "docs" / "exactly-once.md").read_text()
CODE = re.findall(r"```python\n# shop/(\w+\.py)\n(.*?)```", PAGE, re.DOTALL)

WORK = """\
import os, time
from pathlib import Path

FOLDER = Path({folder!r})
URL = {url!r}

def work_out(context):
    with (FOLDER / "told").open("a") as file:
        print(context.attempt, os.getpid(), file=file, flush=True)
    ends_at = time.monotonic() + 100
    while context.attempt == 1 and not (FOLDER / "go").exists() and time.monotonic() < ends_at:
        time.sleep(0.05)
    return 100 + context.attempt
"""


class Bank(ThreadingHTTPServer):
    """An API that does what a key asks for once."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Request)
        self.paid = {}
        self.asked = []
        self.lock = threading.Lock()


class Request(BaseHTTPRequestHandler):
    def do_POST(self):
        amount = int(self.rfile.read(int(self.headers["Content-Length"])))
        key, token = self.headers["Idempotency-Key"], int(self.headers["Fencing-Token"])
        with self.server.lock:
            self.server.asked.append((key, token, amount))
            self.server.paid.setdefault(key, amount)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def bank():
    with Bank() as bank:
        thread = threading.Thread(target=bank.serve_forever)
        thread.start()
        yield bank
        bank.shutdown()
        thread.join()


def payouts(url):
    connection = connect(url)
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT amount FROM shop_payout")
        return [amount for (amount,) in cursor.fetchall()]
    finally:
        connection.close()


@pytest.mark.timeout(200)
@pytest.mark.parametrize("job", ["pay-here", "pay-there", "pay-elsewhere"])
def test_an_instance_that_is_frozen_in_the_middle_leaves_one_effect(job, tmp_path, monkeypatch, bank):
    assert [name for name, _ in CODE] == ["models.py", "here.py", "there.py", "elsewhere.py"]
    shop = tmp_path / "shop"
    shop.mkdir()
    for name, code in CODE:
        (shop / name).write_text(code)
    (shop / "__init__.py").touch()
    (shop / "work.py").write_text(WORK.format(folder=str(tmp_path), url=f"http://127.0.0.1:{bank.server_address[1]}/"))
    (shop / "jobs.py").write_text("from shop import elsewhere, here, there  # noqa: F401\n")
    # SQLite's one write lock would stay with the frozen process.
    with MariaDB() as server:
        books = new_database(tmp_path, server.url)
        monkeypatch.setenv("BOOKS_URL", books)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
        with lend_site(tmp_path, server.url, settings="exactly_once_settings") as site:
            site.manage("migrate", "--run-syncdb", "--verbosity", "0")
            site.manage("migrate", "--run-syncdb", "--verbosity", "0", "--database", "books")
            schedulers = [site.scheduler(), site.scheduler()]
            site.request(job, key=1)
            told = tmp_path / "told"
            eventually(lambda: told.exists() and told.read_text().endswith("\n"), 40, "it has begun")
            works = int(told.read_text().split()[1])
            frozen = next(each for each in schedulers if each.working_pid == works)
            frozen.freeze()
            rows = lambda: [row[1:5] for row in site.executions(job)]  # noqa: E731
            eventually(lambda: rows() == [("succeeded", "", 2, 2)], 40, "another has taken over and paid")
            (tmp_path / "go").touch()
            frozen.thaw()
            eventually(lambda: "no longer yours" in site.log_text(), 40, "the first one has ended, too late")
            assert rows() == [("succeeded", "", 2, 2)]
            effects = {
                "pay-here": payouts(site.env["DATABASE_URL"]),
                "pay-there": payouts(books),
                "pay-elsewhere": list(bank.paid.values()),
            }
    assert effects == {"pay-here": [], "pay-there": [], "pay-elsewhere": []} | {job: [102]}
    if job == "pay-elsewhere":
        assert [(token, amount) for _, token, amount in bank.asked] == [(2, 102), (1, 101)]
