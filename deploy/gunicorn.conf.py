"""gunicorn's settings, for one web replica: `BIND=127.0.0.1:8001 REPLICA=web-1 gunicorn -c deploy/gunicorn.conf.py`.

The environment decides where it listens (BIND), with how many processes (WEB_CONCURRENCY) of how many threads each
(WEB_THREADS), and whose X-Forwarded-Proto counts (FORWARDED_ALLOW_IPS; otherwise only this machine's).
"""

import ctypes
import os
import signal
from pathlib import Path
from typing import Any

wsgi_app = "config.wsgi"
bind = os.environ.get("BIND", "127.0.0.1:8000")

# The site's views wait for the database, so threads serve them well. The code is read after the fork (no preload_app):
# a SIGHUP then takes up what is new.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))

# Longer than the 60 s for which nginx keeps a connection: the one that sends requests is the one that closes.
keepalive = 75
# A worker that says nothing for so long is ended; and so long may requests under way take after a SIGTERM.
timeout = 30
graceful_timeout = 30
# Whatever leaks is given back; not by all workers at once.
max_requests = 2000
max_requests_jitter = 400
# The heartbeat is a file, and a disk may stall.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None

# The only header that says the client came by HTTPS, and only a proxy of forwarded_allow_ips may say it; gunicorn knows
# two more, and who reaches it past nginx could write them.
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
forwarder_headers = ""

# All replicas of a user would share the default one.
control_socket_disable = True

accesslog = "-"
access_log_format = '%(t)s %({x-forwarded-for}i)s %({x-request-id}i)s "%(m)s %(U)s" %(s)s %(b)s %(M)sms'


PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>


def post_fork(arbiter: Any, worker: Any) -> None:
    """Have the kernel end this worker with its master.

    A master that is killed leaves workers that hold the listening socket and take no request from it until
    `graceful_timeout`: nginx would wait for their answer for so long.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker.ppid:  # the master has been killed before the kernel knew
        os._exit(1)


def post_worker_init(worker: Any) -> None:
    """Load the views now, or the first request that each worker gets waits for them."""
    from django.urls import get_resolver  # there is no Django in the master process

    get_resolver().url_patterns  # noqa: B018  reading it is what loads them
