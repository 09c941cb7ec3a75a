import pytest


def test_healthz_answers_without_the_database(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok")


def test_the_front_page_leads_to_the_admin_for_now(client):
    answer = client.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


@pytest.mark.django_db
@pytest.mark.parametrize("language, words", [("en", "Log in"), ("zh-hans", "登录"), ("zh-CN,zh;q=0.9", "登录")])
def test_the_sign_in_page_speaks_the_language_of_the_browser(client, language, words):
    page = client.get("/admin/login/", headers={"accept-language": language})
    assert words in page.content.decode()
