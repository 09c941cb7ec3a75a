import pytest


def test_healthz_answers_without_the_database(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok")


@pytest.mark.django_db
@pytest.mark.parametrize("language, words", [("en", "Log in"), ("zh-hans", "登录"), ("zh-CN,zh;q=0.9", "登录")])
def test_the_login_page_speaks_the_language_of_the_browser(client, language, words):
    page = client.get("/admin/login/", headers={"accept-language": language})
    assert words in page.content.decode()
