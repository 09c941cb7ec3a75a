"""Web replicas behind nginx: real programs that are asked all the time while they are killed and restarted."""

import json
import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.daemons import began_at
from deploy.family import children
from deploy.rolling import Refused
from deploy.servers.nginx import Nginx
from deploy.servers.tier import Tier
from tests.acceptance.site import eventually
from tests.acceptance.site import site as lend_site
from tests.acceptance.stream import Stream, ask

pytestmark = pytest.mark.acceptance

SETTINGS = "tests.acceptance.tier_settings"
NAMES = ["r1", "r2", "r3"]
UNAVAILABLE = ["unavailable for the moment", "网站暂时无法访问"]


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    found = tmp_path_factory.mktemp("journal") / "journal"
    found.touch()
    return found


@pytest.fixture(scope="module")
def env(tmp_path_factory, journal):
    """Lend the environment of a site with tables."""
    with lend_site(tmp_path_factory.mktemp("site")) as site:
        yield {**site.env, "JOURNAL": str(journal)}


@pytest.fixture(scope="module")
def running(env):
    with Tier(env, settings=SETTINGS) as lent:
        yield lent
        print((lent.nginx.folder / "error.log").read_text()[-5000:])


@pytest.fixture
def tier(running):
    """Lend the tier with all replicas serving, and put it in order again."""
    yield running
    for replica in running.replicas.values():
        if not replica.is_running():
            replica.start()
    running.nginx.take_out(())
    eventually(lambda: len(turns(running, 6)) == 3, 10, "all replicas serve")


def turns(tier, count, **how):
    return Counter(ask(f"{tier.url}/whoami", **how)[1] for _ in range(count))


def served(stream):
    """Return how many of each kind were answered by the site; fail if one was not."""
    assert {code for _kind, code in stream.answers} == {200}, stream.answers
    return {kind: count for (kind, _code), count in stream.answers.items()}


def pids(tier):
    return {name: replica.process.pid for name, replica in tier.replicas.items()}


def test_replicas_take_turns(tier):
    assert turns(tier, 9) == {"r1": 3, "r2": 3, "r3": 3}


def test_a_rolling_restart_costs_nobody_an_answer(tier):
    before = pids(tier)
    kinds = ["GET /whoami", "POST /note?name=a", "GET /whoami", "POST /note?name=a", "POST /note?name=b&seconds=0.7"]
    with Stream(tier.url, kinds, 50) as stream:
        tier.rolling_restart()
    assert min(served(stream).values()) > 10
    assert all(pid != before[name] for name, pid in pids(tier).items())
    assert set(turns(tier, 6)) == set(NAMES)


def test_a_replica_that_is_killed_costs_no_get_an_answer(tier):
    with Stream(tier.url, ["GET /whoami"], 50) as stream:
        eventually(lambda: stream.answers.total() > 20, 20, "requests are answered")
        tier.replicas["r2"].kill()
        seen = stream.answers.total()
        eventually(lambda: stream.answers.total() > seen + 100, 20, "the others answer")
        tier.replicas["r2"].start()
    served(stream)


def test_a_replica_whose_master_alone_is_killed_costs_no_get_an_answer(tier):
    """Its workers would hold the listening socket for half a minute, and serve nobody."""
    with Stream(tier.url, ["GET /whoami"], 50) as stream:
        eventually(lambda: stream.answers.total() > 20, 20, "requests are answered")
        workers = children(tier.replicas["r2"].process.pid)
        os.kill(tier.replicas["r2"].process.pid, signal.SIGKILL)
        tier.replicas["r2"].process.wait()
        eventually(lambda: not any(began_at(pid) for pid in workers), 5, "its workers have ended")
        seen = stream.answers.total()
        eventually(lambda: stream.answers.total() > seen + 100, 20, "the others answer")
    served(stream)


def test_a_replica_that_came_back_gets_requests_again(tier):
    tier.replicas["r2"].kill()
    assert set(turns(tier, 9)) == {"r1", "r3"}
    tier.replicas["r2"].start()
    eventually(lambda: "r2" in turns(tier, 3), 10, "the replica serves again")


def test_a_replica_that_takes_up_new_code_costs_nobody_an_answer(tier):
    """SIGHUP, which `systemctl reload` sends, one after another."""
    before = {name: children(replica.process.pid) for name, replica in tier.replicas.items()}
    with Stream(tier.url, ["GET /whoami", "POST /note?name=d&seconds=0.3"], 40) as stream:
        for name, replica in tier.replicas.items():
            replica.process.send_signal(signal.SIGHUP)
            eventually(
                lambda name=name: not before[name] & children(tier.replicas[name].process.pid), 30, "all are new"
            )
            eventually(replica.is_ready, 30, "the replica is ready")
    served(stream)


def test_what_a_killed_replica_had_begun_is_done_at_most_once(tier, journal):
    names = [f"once-{number}" for number in range(12)]
    urls = [f"{tier.url}/note?name={name}&seconds=1.5" for name in names]
    with ThreadPoolExecutor(len(urls)) as senders:
        answers = [senders.submit(ask, url, "POST") for url in urls]
        eventually(lambda: set(names) <= set(journal.read_text().split()), 10, "all are under way")
        tier.replicas["r1"].kill()
    codes = Counter(answer.result()[0] for answer in answers)
    assert codes == {200: 8, 502: 4}
    done = Counter(journal.read_text().split())
    assert [done[name] for name in names] == [1] * len(names)


def test_a_rolling_restart_that_was_interrupted_is_repeated(tier):
    tier.nginx.take_out({"r2"})
    tier.replicas["r2"].stop()
    before = pids(tier)
    with Stream(tier.url, ["GET /whoami", "POST /note?name=c"], 50) as stream:
        tier.rolling_restart()
    served(stream)
    assert all(pid != before[name] for name, pid in pids(tier).items())
    assert tier.nginx.taken_out() == []


def test_a_rolling_restart_takes_nobody_from_the_rest_of_a_broken_tier(tier):
    tier.replicas["r3"].kill()
    before = pids(tier)
    with pytest.raises(Refused, match="r3 cannot serve, so r1 is not restarted"):
        tier.rolling_restart()
    assert pids(tier) == before
    assert tier.nginx.taken_out() == []


def test_what_a_client_says_about_itself_does_not_arrive(tier):
    forged = {
        "Host": "127.0.0.1:8000",
        "Forwarded": "for=1.2.3.4;proto=https",
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Protocol": "ssl",
        "X-Forwarded-Ssl": "on",
        "X-Forwarded-Host": "evil.example.com",
        "X-Forwarded-Port": "444",
        "X-Forwarded-Prefix": "/evil",
        "X-Real-IP": "1.2.3.4",
        "X-Request-ID": "forged",
        "Script_Name": "/evil",
    }
    arrived = json.loads(ask(f"{tier.url}/headers", headers=forged)[1])
    assert (arrived["scheme"], arrived["host"]) == ("http", "127.0.0.1:8000")
    about = {name: value for name, value in arrived["headers"].items() if name.startswith(("X-", "F", "S"))}
    assert len(about.pop("X-Request-Id")) == 32
    assert about == {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Real-Ip": "127.0.0.1"}


def test_the_log_says_which_replicas_were_tried(tier):
    tier.replicas["r1"].kill()
    turns(tier, 3)
    retried = [line for line in tier.nginx.access_log.read_text().splitlines() if 'upstream_status="502, 200"' in line]
    assert retried
    assert f'upstream="{tier.replicas["r1"].address}, ' in retried[-1]


@pytest.mark.parametrize("path", ["/login/", "/admin/login/"])
def test_passwords_are_tried_slowly(env, path):
    with Tier(env, settings=SETTINGS, replicas=1) as tier:
        tried = [ask(tier.url + path, "POST") for _ in range(8)]
        assert [code for code, _body, _headers in tried] == [403] * 6 + [429] * 2  # 403: no CSRF token
        _code, body, headers = tried[-1]
        assert ("Please wait a minute" in body, "请等一分钟后再试" in body) == (True, True)
        assert headers["Retry-After"] == "10"
        assert {ask(tier.url + path)[0] for _ in range(8)} == {200}


def test_a_body_that_is_too_large_is_refused(tier):
    announced = {"Content-Length": str(5 * 1024 * 1024 + 1)}
    assert ask(f"{tier.url}/note?name=large", "POST", headers=announced)[0] == 413
    assert ask(f"{tier.url}/note?name=small", "POST", body=b"x" * (1024 * 1024))[0] == 200


def test_without_any_replica_a_page_says_so_and_files_are_served(tmp_path):
    (tmp_path / "style.css").write_text("p {}")
    with Nginx({"r1": "127.0.0.1:1"}, values={"STATIC_ROOT": str(tmp_path)}) as nginx:
        code, page, headers = ask(f"{nginx.url}/admin/")
        assert (code, headers["Cache-Control"]) == (502, "no-store")
        assert all(words in page for words in UNAVAILABLE)
        code, text, headers = ask(f"{nginx.url}/static/style.css")
        assert (code, text, headers["X-Content-Type-Options"]) == (200, "p {}", "nosniff")
        assert ask(f"{nginx.url}/errors/429.html")[0] == 404


def test_by_address_a_whole_office_is_one_replica(env):
    with Tier(env, settings=SETTINGS, upstream="upstream-ip-hash.conf") as tier:
        office = turns(tier, 4, source="127.0.0.5") + turns(tier, 4, source="127.0.0.200")
        assert list(office.values()) == [8]
        (theirs,) = office
        tier.replicas[theirs].kill()
        assert theirs not in turns(tier, 4, source="127.0.0.5")
