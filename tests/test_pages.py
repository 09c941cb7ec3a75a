"""The site's own pages, and what every answer carries."""

import re
from pathlib import Path
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.test import Client

from config.middleware import POLICY
from config.visits import COLOURS, colour_of
from logins.status import RedisState

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "a-long-word-of-lin"
NEW_PASSWORD = "another-word-of-lin"

pytestmark = pytest.mark.django_db


@pytest.fixture
def lin(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the others are slow on purpose
    return User.objects.create_superuser("lin", password=PASSWORD)


@pytest.fixture(autouse=True)
def replica(settings):
    settings.REPLICA = "r1"


@pytest.fixture
def browser(lin):
    """A browser in which lin has logged in through r1."""
    browser = Client()
    log_in(browser)
    return browser


def log_in(browser, address="/login/", **more):
    return browser.post(address, {"username": "lin", "password": PASSWORD} | more)


def text(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


# The start page


def test_strangers_are_sent_to_the_login_page_and_from_there_back(client, lin):
    assert client.get("/").headers["Location"] == "/login/?next=/"
    assert log_in(client, next="/").headers["Location"] == "/"


def test_the_start_page_names_the_replica_that_answered(browser, settings):
    settings.REPLICA = "r7"
    assert "This page was answered by r7" in text(browser.get("/"))
    assert "Answered by web replica r7" in text(browser.get("/"))


def test_the_start_page_says_when_one_logged_in_and_through_which_replica(browser, settings):
    settings.REPLICA = "r2"
    assert re.search(r"You logged in at \d{4}-\d\d-\d\d \d\d:\d\d UTC through r1\.", text(browser.get("/")))


def test_a_login_on_the_admin_s_own_page_is_remembered_as_well(client, lin):
    log_in(client, "/admin/login/")
    assert "through r1." in text(client.get("/"))


def test_visits_are_counted_from_the_login_on(browser):
    assert "was answered once with this login" in text(browser.get("/"))
    assert "was answered 2 times with this login" in text(browser.get("/"))
    log_in(browser, "/admin/login/")
    assert "was answered once with this login" in text(browser.get("/"))


def test_other_pages_are_no_visits(browser):
    browser.get("/admin/")
    browser.get("/password/")
    assert browser.session["visits"] == 0


def test_the_last_ten_replicas_are_shown_in_their_order(browser, settings):
    for number in range(1, 13):
        settings.REPLICA = f"r{number}"
        answer = browser.get("/")
    assert re.findall(r"<li class=.*?>(\w+)</li>", answer.content.decode()) == [f"r{number}" for number in range(3, 13)]


def test_each_replica_keeps_its_colour(browser, settings):
    for name in ("r2", "r1", "r2"):
        settings.REPLICA = name
        answer = browser.get("/")
    assert re.findall(r'<li class="(sc-r\d)"', answer.content.decode()) == ["sc-r2", "sc-r1", "sc-r2"]


def test_a_replica_without_a_number_has_a_colour_too():
    assert colour_of("alpha") == colour_of("alpha") < COLOURS


def test_a_session_older_than_these_pages_is_greeted_too(browser):
    session = browser.session
    del session["login"], session["visits"], session["replicas"]
    session.save()
    page = text(browser.get("/"))
    assert "You logged in" not in page
    assert "was answered once with this login" in page


@pytest.mark.parametrize(
    "state, words",
    [
        (RedisState.UNUSED, "no Redis is set up"),
        (RedisState.BELIEVED, "the database keeps the truth"),
        (RedisState.AWAY, "Redis does not answer"),
    ],
)
def test_the_start_page_says_where_sessions_live(browser, state, words):
    with patch("config.views.redis_state", lambda: state):
        assert words in text(browser.get("/"))


def test_no_one_keeps_the_start_page(browser):
    assert "no-store" in browser.get("/").headers["Cache-Control"]


def test_links_into_the_console_are_only_for_those_who_may_follow_them(browser, lin):
    assert 'href="/admin/scheduling/fire/"' in browser.get("/").content.decode()
    User.objects.update(is_staff=False)
    assert 'href="/admin/' not in browser.get("/").content.decode()


# Logging in and out


def test_a_wrong_password_is_refused_in_words(client, lin):
    answer = client.post("/login/", {"username": "lin", "password": "wrong"})
    assert answer.status_code == 200
    assert "Please enter a correct username and password" in text(answer)
    assert "<title>Error: Log in |" in answer.content.decode()


@pytest.mark.parametrize("address, home", [("/login/", "/"), ("/admin/login/", "/")])
@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", r"/\evil.example", "javascript:1"])
def test_a_login_leads_to_no_other_site(client, lin, address, home, elsewhere):
    assert log_in(client, address, next=elsewhere).headers["Location"] == home


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example"])
def test_a_choice_of_language_leads_to_no_other_site(client, elsewhere):
    answer = client.post("/i18n/setlang/", {"language": "en", "next": elsewhere})
    assert answer.headers["Location"] == "/"


def test_a_login_leads_to_the_page_that_was_asked_for(client, lin):
    wanted = client.get("/admin/scheduling/job/").headers["Location"]
    assert wanted == "/admin/login/?next=/admin/scheduling/job/"
    assert 'name="next" value="/admin/scheduling/job/"' in client.get(wanted).content.decode()
    assert log_in(client, wanted, next="/admin/scheduling/job/").headers["Location"] == "/admin/scheduling/job/"


@pytest.mark.parametrize("address", ["/login/", "/admin/login/"])
def test_both_login_pages_are_the_same_card(client, address):
    page = client.get(address).content.decode()
    for part in ('id="id_username"', 'id="id_password"', '<input type="submit" value="Log in">', 'name="next"'):
        assert part in page
    assert "One login holds on every replica." in page


def test_the_login_page_passes_on_who_is_logged_in(browser):
    assert browser.get("/login/").headers["Location"] == "/"


def test_who_may_not_open_the_console_is_told_so_and_can_change(browser):
    User.objects.update(is_staff=False)
    assert "The login of lin does not open this page" in text(browser.get("/admin/", follow=True))


@pytest.mark.parametrize("address", ["/logout/", "/admin/logout/"])
def test_logging_out_ends_the_login_and_says_so(browser, address):
    assert "You are logged out." in text(browser.post(address, follow=True))
    assert browser.get("/").status_code == 302


def test_a_mere_link_logs_nobody_out(browser):
    assert browser.get("/logout/").status_code == 405
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize("address", ["/login/", "/admin/login/", "/logout/", "/password/", "/i18n/setlang/"])
def test_forms_of_other_sites_are_refused(lin, address):
    browser = Client(enforce_csrf_checks=True)
    answer = browser.post(address, {"username": "lin", "password": PASSWORD})
    assert answer.status_code == 403
    assert "Nothing was changed." in text(answer)


# Changing the password


def change(browser, address, old=PASSWORD, new=NEW_PASSWORD):
    return browser.post(address, {"old_password": old, "new_password1": new, "new_password2": new}, follow=True)


def test_a_changed_password_keeps_this_login_and_ends_the_others(browser, lin):
    other = Client()
    log_in(other)
    assert "Your password was changed." in text(change(browser, "/password/"))
    assert browser.get("/").status_code == 200
    assert other.get("/").status_code == 302
    lin.refresh_from_db()
    assert lin.check_password(NEW_PASSWORD)


@pytest.mark.parametrize(
    "old, new, words", [("wrong", NEW_PASSWORD, "was entered incorrectly"), (PASSWORD, "12345", "too short")]
)
def test_a_password_is_changed_only_for_who_knows_the_old_one_and_to_a_good_one(browser, lin, old, new, words):
    assert words in text(change(browser, "/password/", old, new))
    lin.refresh_from_db()
    assert lin.check_password(PASSWORD)


def test_strangers_cannot_change_passwords(client):
    assert client.get("/password/").headers["Location"] == "/login/?next=/password/"


def test_the_admin_s_own_page_changes_passwords_as_well(browser):
    assert browser.get("/admin/password_change/").status_code == 200
    assert change(browser, "/admin/password_change/").redirect_chain[-1][0] == "/admin/password_change/done/"


# What every answer carries


@pytest.mark.parametrize(
    "address, status",
    [
        ("/", 200),
        ("/password/", 200),
        ("/admin/", 200),
        ("/admin/scheduling/job/", 200),
        ("/login/", 302),
        ("/logout/", 405),
        ("/nowhere", 404),
        ("/healthz", 200),
        ("/favicon.ico", 204),
        ("/admin/jsi18n/", 200),
    ],
)
def test_every_answer_names_the_replica_and_what_the_page_may_load(browser, address, status):
    answer = browser.get(address)
    assert answer.status_code == status
    assert (answer["X-Replica"], answer["Content-Security-Policy"]) == ("r1", POLICY)


def test_an_answer_to_a_failure_carries_them_too(browser, monkeypatch):
    monkeypatch.setattr("config.views.visit", lambda session: 1 / 0)
    browser.raise_request_exception = False
    answer = browser.get("/")
    assert (answer.status_code, answer["X-Replica"], answer["Content-Security-Policy"]) == (500, "r1", POLICY)
    assert "The server failed to answer this." in text(answer)


def test_the_policy_allows_nothing_inline():
    assert "unsafe" not in POLICY


def test_no_template_of_ours_needs_anything_inline():
    inline = re.compile(r"\sstyle=|\son\w+=|<style|javascript:|<script(?![^>]*\ssrc=)", re.IGNORECASE)
    templates = [path for folder in ("templates", "scheduling/templates") for path in (ROOT / folder).rglob("*.html")]
    assert len(templates) > 10
    assert [str(path.relative_to(ROOT)) for path in templates if inline.search(path.read_text())] == []


# Languages


@pytest.mark.parametrize("address", ["/login/", "/admin/login/"])
def test_a_language_chosen_on_the_login_page_stays(client, lin, address):
    answer = client.post("/i18n/setlang/", {"language": "zh-hans", "next": address}, follow=True)
    assert "一次登录，所有副本通用。" in text(answer)
    log_in(client)
    assert "本页由此副本应答" in text(client.get("/"))


@pytest.mark.parametrize("address", ["/", "/password/", "/nowhere"])
def test_pages_in_chinese_have_no_english_left(browser, address):
    page = text(browser.get(address, headers={"accept-language": "zh-hans"}))
    words = set(re.findall(r"[A-Za-z]{3,}", page)) - {"English", "UTC", "Redis", "SQLite", "MySQL", "MariaDB", "lin"}
    assert words <= {"pid", "Toggle", "theme"}
