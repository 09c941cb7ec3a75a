"""What comes of killing and freezing instances: the page, and what is missed."""

import socket
import threading

import pytest

from benchmarks.failover.commits import COMMIT, MARK, Commits, Loss
from benchmarks.failover.kills import SUPERVISOR, WORKING
from benchmarks.failover.table import markdown, missed

VERSIONS = {"versions": {"Python": "3"}, "settings": "As in production."}


def kills(what, *rounds, judged=True):
    case = {"column": "MariaDB", "session": 6.0, "judged": judged, "what": what, "items": 10, "rounds": rounds}
    return {"kills": VERSIONS | {"figures": [case]}}


def frozen(**differs):
    well = {"point": "inside", "begun again": 3.5, "lost replies": 1, "outcomes": ["done", "done"], "effects": 1}
    return {"freezing": VERSIONS | {"figures": {"limit": 6.0, "rounds": [well, well | differs]}}}


def test_a_kill_has_its_median_and_its_worst_and_an_idle_one_nothing_to_run_again():
    page = markdown(kills(WORKING, {"owned again": 0.1}, {"owned again": 0.3, "runs again": 0.4}))
    assert "| items owned again | 1 s | 0.20 s | 0.30 s, met | 2 |" in page
    assert "| unfinished executions begun again | 1 s | 0.40 s | 0.40 s, met | 1 |" in page
    assert "As in production. Measured with Python 3." in page
    assert "Nothing is missed." in page


@pytest.mark.parametrize(("what", "seconds"), [(WORKING, 1.0), (SUPERVISOR, 7.0)])
def test_one_kill_that_takes_too_long_is_missed(what, seconds):
    assert missed(kills(what, {"owned again": seconds - 0.01})) == []
    late = kills(what, {"owned again": 0.1}, {"owned again": seconds})
    assert missed(late) == [f"items owned again, {what}, 10 items"]
    assert "**missed**" in markdown(late)


def test_what_is_only_reported_is_not_judged():
    page = markdown(kills(WORKING, {"owned again": 9.0}, judged=False))
    assert "| – | 9.00 s | 9.00 s | 1 |" in page
    assert "Nothing is missed." in page


def test_rounds_of_freezing_are_counted_by_where_they_froze():
    page = markdown(frozen())
    assert "| inside | 2 | 2 | 6 s | 3.50 s | 3.50 s, met | 2 of 2 |" in page
    assert missed(frozen()) == []


@pytest.mark.parametrize(
    ("differs", "what"),
    [
        ({"effects": 2}, "2 effects of one that was frozen inside"),
        ({"effects": 0}, "0 effects of one that was frozen inside"),
        ({"begun again": 6.1}, "6.1 s until one that was frozen inside ran again"),
        ({"outcomes": ["done", "OperationalError"]}, "OperationalError where one ran again that was frozen inside"),
    ],
)
def test_a_round_of_freezing_that_went_wrong_is_missed(differs, what):
    assert missed(frozen(**differs)) == [what]


@pytest.mark.parametrize("arrives", [True, False])
def test_the_proxy_loses_a_commit_or_its_answer_and_then_the_connection(arrives):
    heard = []

    def serve():
        server, _address = door.accept()
        with server:
            while received := server.recv(100):
                heard.append(received)
                server.sendall(b"ok")

    with socket.create_server(("127.0.0.1", 0)) as door, Commits(door.getsockname()[1]) as proxy:
        thread = threading.Thread(target=serve)
        thread.start()
        loss = proxy.lose(Loss(text=b"'pay-1'", arrives=arrives))
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
            for statement in (COMMIT, MARK + b" (7, 'pay-2')", COMMIT, MARK + b" (7, 'pay-1')"):
                client.sendall(statement)
                assert client.recv(100) == b"ok"
            client.sendall(COMMIT)
            assert loss.held.wait(10)
            loss.cut.set()
            assert client.recv(100) == b""
        thread.join(10)
    assert heard.count(COMMIT) == (3 if arrives else 2)
