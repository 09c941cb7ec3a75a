"""What every answer carries: who gave it, and what its page may load."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

STARTED = timezone.now()
"""When this process came up: unlike the views, which the first request loads, this module is loaded with the server."""

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)

Answer = Callable[[HttpRequest], HttpResponseBase]


class ReplicaMiddleware:
    """Name in every answer the web replica that gave it."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response["X-Replica"] = settings.REPLICA
        return response


class ContentSecurityPolicyMiddleware:
    """Let browsers run and load only what comes from the site's own files, unless a view has said otherwise."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response
