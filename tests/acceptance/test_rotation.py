"""A new SECRET_KEY, brought to one replica after another while people are at work."""

import threading
from collections import Counter

import pytest

from deploy.servers.redis import Redis
from deploy.servers.tier import Tier
from tests.acceptance.site import eventually
from tests.acceptance.site import site as lend_site
from tests.acceptance.stream import ask

pytestmark = pytest.mark.acceptance

OLD, NEW = "an-old-key-of-this-site", "a-new-key-of-this-site"
STEPS = [{"SECRET_KEY_FALLBACKS": NEW}, {"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": OLD}, {"SECRET_KEY_FALLBACKS": ""}]
LOGIN = """
from django.contrib.auth import get_user_model, HASH_SESSION_KEY
from logins.engine import SessionStore
user, _ = get_user_model().objects.get_or_create(username="lin")
session = SessionStore()
session.update({"_auth_user_id": str(user.pk), "_auth_user_backend": "django.contrib.auth.backends.ModelBackend"})
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.save()
print(session.session_key)
"""


class Person:
    """Somebody in two tabs, who asks all the time with the same cookie."""

    def __init__(self, url, cookie):
        self.url = url
        self.cookie = cookie
        self.answers = Counter()
        self._done = threading.Event()
        self._tabs = [threading.Thread(target=self._ask) for _ in range(2)]

    def __enter__(self):
        for tab in self._tabs:
            tab.start()
        return self

    def __exit__(self, *error):
        self._done.set()
        for tab in self._tabs:
            tab.join()

    def _ask(self):
        while not self._done.wait(0.05):
            code, _body, headers = ask(f"{self.url}/", headers={"Cookie": f"sessionid={self.cookie}"})
            renewed = headers.get("Set-Cookie", "")
            kept = "sessionid" not in renewed or f"sessionid={self.cookie};" in renewed
            self.answers[code, kept] += 1


def test_a_new_secret_key_logs_nobody_out(tmp_path):
    with lend_site(tmp_path) as site, Redis() as redis:
        site.env |= {"SECRET_KEY": OLD, "REDIS_URL": redis.url}
        cookie = site.shell(LOGIN).split()[-1]
        with Tier(site.env, settings="config.settings") as tier, Person(tier.url, cookie) as person:
            for step in STEPS:
                for replica in tier.replicas.values():
                    replica.env |= step
                tier.rolling_restart()
            seen = person.answers.total()
            eventually(lambda: person.answers.total() > seen + 20, 30, "the login is used with the new key alone")
        assert person.answers.keys() == {(200, True)}, person.answers
