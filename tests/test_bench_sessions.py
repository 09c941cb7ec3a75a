"""`make bench-sessions`: its verdict, its tables, and how its browser behaves."""

from dataclasses import replace

import pytest

from benchmarks.sessions import __main__ as bench
from benchmarks.sessions.browser import Answer, keep, parsed, request
from benchmarks.sessions.columns import CACHE, CACHED_DB, COLUMNS, OURS
from benchmarks.sessions.cost import PAGES, READING, WRITING, turned
from benchmarks.sessions.crowd import Click
from benchmarks.sessions.demo import table as demo_table
from benchmarks.sessions.faults import ENDERS, FAULTS, USERS, outcome
from benchmarks.sessions.found import Found, Outcome
from benchmarks.sessions.load import is_whole
from benchmarks.sessions.table import page
from benchmarks.sessions.verdict import shortcomings

FINE = Outcome(users=USERS, logged_in=USERS, clicks=1000, errors=0, logged_out=0, slowest=0.4)
REDIS_RESTART = "Redis restarted, away for 3 s"


def fine(fault):
    return replace(FINE, enders=ENDERS, ended=ENDERS) if FAULTS[fault].is_of_redis else FINE


def measured(rates=None, **doctored):
    """A run in which all goes well, but for the outcome of a Redis restart and the rates of our column."""
    outcomes = {fault: fine(fault) for fault in FAULTS}
    outcomes[REDIS_RESTART] = replace(outcomes[REDIS_RESTART], **doctored)
    all_rates = {page: [1000.0, 900.0, 1100.0] for page in PAGES}
    found = {name: Found(outcomes={}, rates=all_rates) for name in COLUMNS}
    return found | {OURS: Found(outcomes=outcomes, rates=all_rates | (rates or {}))}


# The verdict


def test_a_run_in_which_all_goes_well_falls_short_of_nothing():
    assert shortcomings(measured()) == []


@pytest.mark.parametrize(
    ("doctored", "said"),
    [
        ({"logged_in": 59}, "59 of 60 users are logged in afterwards"),
        ({"errors": 1}, "1 errors"),
        ({"logged_out": 1}, "1 requests of users who were logged in were answered as logged out"),
        ({"ended": 5}, "5 of 6 users could log out"),
        ({"revived": 1}, "1 cookies that were logged out opened a page again"),
        ({"slowest": 1.51}, "the slowest answer took 1.51 s, more than 1.5 s"),
        ({"clicks": 0}, "only 0 requests, which is no measurement"),
    ],
)
def test_one_doctored_figure_is_a_shortcoming(doctored, said):
    assert shortcomings(measured(**doctored)) == [f"{REDIS_RESTART}: {said}"]


def test_a_fault_that_was_not_measured_is_a_shortcoming():
    found = measured()
    ours = replace(
        found[OURS], outcomes={fault: seen for fault, seen in found[OURS].outcomes.items() if fault != "none"}
    )
    assert shortcomings(found | {OURS: ours}) == ["none: not measured"]


def test_pages_that_were_not_measured_are_shortcomings():
    found = measured()
    found[CACHE] = Found()
    assert shortcomings(found) == ["reading: not measured"]


def test_reading_is_compared_with_cache_and_writing_with_cached_db():
    slow = measured(rates={READING: [940.0], WRITING: [949.0]})
    assert shortcomings(slow) == [
        "reading: 0.94 of the rate of cache, less than 0.95",
        "writing: 0.95 of the rate of cached_db, less than 0.95",
    ]


def test_five_percent_are_noise():
    assert shortcomings(measured(rates={READING: [950.0], WRITING: [950.0]})) == []


def test_other_columns_may_fail():
    found = measured()
    found[CACHED_DB] = Found(outcomes={"none": replace(FINE, errors=9)}, rates=found[CACHED_DB].rates)
    assert shortcomings(found) == []


@pytest.mark.parametrize(("doctored", "code"), [({}, 0), ({"revived": 1}, 1)])
def test_the_exit_code_is_the_verdict_and_both_files_are_written(doctored, code, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench, "measured", lambda columns, only: measured(**doctored))
    monkeypatch.setattr(bench, "versions", lambda: {"Redis": "7"})
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    monkeypatch.setattr(bench.signal, "signal", lambda number, handler: None)
    assert bench.main([]) == code
    assert (tmp_path / "sessions.md").read_text() in capsys.readouterr().out
    assert (tmp_path / "sessions.json").exists()


def test_a_part_is_neither_judged_nor_written(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "measured", lambda columns, only: measured(revived=1))
    monkeypatch.setattr(bench, "versions", lambda: {})
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    monkeypatch.setattr(bench.signal, "signal", lambda number, handler: None)
    assert bench.main(["--only", "cost"]) == 0
    assert list(tmp_path.iterdir()) == []


# The tables


def test_the_page_says_what_users_saw():
    text = page({}, measured(errors=3, logged_out=2, revived=1, logged_in=58), ["something"])
    assert "| 58 of 60; 3 errors; 2 logged out; 0.40 s; logouts 6 of 6, undone 1 |" in text
    assert "- something" in text


def test_the_page_compares_medians():
    text = page({}, measured(rates={READING: [400.0, 500.0, 9000.0]}), [])
    assert "| a page that reads its session | x0.50 (500) | x1.00 (1000) |" in text


def test_a_part_makes_a_page_too():
    assert "|" not in page({}, {OURS: Found()}, None)


def test_the_demonstration_s_table_has_columns():
    assert demo_table([["a", "long name"], ["long", "b"]]) == "a     long name\n---------------\nlong  b"


# What clicks come to


def test_an_answer_is_a_page_or_leads_to_the_login_or_is_an_error():
    answers = [
        Answer(status=200),
        Answer(status=302, location="/login/?next=/"),
        Answer(status=302, location="/elsewhere/"),
        Answer(status=500),
        Answer(status=404),
        Answer(),
    ]
    clicks = [Click(answer=answer, seconds=number / 10) for number, answer in enumerate(answers)]
    seen = outcome(clicks, logged_in=1, enders=0, ended=0, revived=0)
    assert (seen.clicks, seen.logged_out, seen.errors, seen.slowest) == (6, 1, 4, 0.5)


# The browser


def test_an_answer_is_read():
    answer = parsed(
        b"HTTP/1.1 302 Found\r\nLocation: /login/\r\nX-Replica: r2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nx"
    )
    assert answer == Answer(status=302, location="/login/", replica="r2", set_cookies=("a=1", "b=2"))


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 200 OK\r\nX-Re", b"nonsense\r\n\r\n"])
def test_half_an_answer_is_none(received):
    assert parsed(received) == Answer()


def test_a_browser_keeps_cookies_and_gives_them_up():
    cookies = {"sessionid": "old", "csrftoken": "kept"}
    keep(("sessionid=new; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax",), cookies)
    assert cookies == {"sessionid": "new", "csrftoken": "kept"}
    keep(('sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax',), cookies)
    assert cookies == {"csrftoken": "kept"}


def test_a_form_is_sent_with_the_cookies():
    sent = request("POST", "127.0.0.1:1", "/login/", {"a": "1", "b": "2"}, {"name": "x y"}).decode()
    assert "\r\nCookie: a=1; b=2\r\n" in sent
    assert "\r\nContent-Length: 8\r\n" in sent
    assert sent.endswith("\r\n\r\nname=x+y")


# The load


@pytest.mark.parametrize(
    ("received", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Le", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n12", True),
    ],
)
def test_an_answer_is_whole_with_its_body(received, whole):
    assert is_whole(received) == whole


def test_each_round_begins_with_another_column():
    assert turned(["a", "b", "c"], 4) == ["b", "c", "a"]
