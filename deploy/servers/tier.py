"""The web tier as a throw-away: replicas of the site behind an nginx; as a command it lends its address:

python -m deploy.servers.tier -- sh -c 'curl $SITE_URL/healthz'
"""

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Self

from deploy import readiness, rolling
from deploy.install import PYTHON, ROOT
from deploy.servers.nginx import Nginx
from deploy.servers.throwaway import Throwaway, lend

GUNICORN = [str(PYTHON), "-m", "gunicorn", "--chdir", str(ROOT), "--config", str(ROOT / "deploy" / "gunicorn.conf.py")]


class Replica(Throwaway):
    """One gunicorn with the site. `start` returns when it is ready; `launch` and `await_ready` are its halves."""

    patience = 40  # gunicorn gives the requests under way 30 s

    def __init__(self, name: str, env: Mapping[str, str]) -> None:
        self.name = name
        self.env = dict(env)

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return GUNICORN

    def environment(self) -> Mapping[str, str]:
        return os.environ | self.env | {"REPLICA": self.name, "BIND": self.address, "PYTHONUNBUFFERED": "1"}

    def is_up(self) -> bool:
        return readiness.is_ready(self.port)

    def is_ready(self) -> bool:
        return self.is_running() and self.is_up()


class Tier:
    """A context with nginx before replicas on a database that has been migrated; it leaves neither process nor file.

    `env` has DATABASE_URL, REDIS_URL, SECRET_KEY and whatever else the settings read.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        settings: str = "config.settings",
        upstream: str = "upstream.conf",
        replicas: int = 3,
        workers: int = 1,
        threads: int = 4,
        login_rate: str = "10r/m",
        login_burst: int = 5,
    ) -> None:
        env = {**env, "DJANGO_SETTINGS_MODULE": settings, "WEB_CONCURRENCY": str(workers), "WEB_THREADS": str(threads)}
        self.replicas = {name: Replica(name, env) for name in (f"r{number + 1}" for number in range(replicas))}
        self.upstream = upstream
        self.values = {"LOGIN_RATE": login_rate, "LOGIN_BURST": str(login_burst)}

    @property
    def url(self) -> str:
        """Return the address of nginx."""
        return self.nginx.url

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for replica in self.replicas.values():
                stack.enter_context(replica)
            addresses = {name: replica.address for name, replica in self.replicas.items()}
            self.nginx = stack.enter_context(Nginx(addresses, upstream=self.upstream, values=self.values))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def rolling_restart(self) -> None:
        """Restart the replicas one by one, with no error for anybody."""
        rolling.restart(self.replicas.values(), self.nginx, say=lambda line: None)


if __name__ == "__main__":
    server = Tier({}, workers=2)
    sys.exit(lend(server, lambda: {"SITE_URL": server.url}, str(__doc__)))
