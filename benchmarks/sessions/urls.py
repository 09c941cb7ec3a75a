"""The site's own addresses, and three pages that differ in what they do with the session."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def untouched(request: HttpRequest) -> HttpResponse:
    """Leave the session alone."""
    return HttpResponse("ok")


def reading(request: HttpRequest) -> HttpResponse:
    """Read the session."""
    return HttpResponse(str(request.session.get("counter", 0)))


def writing(request: HttpRequest) -> HttpResponse:
    """Write the session."""
    request.session["counter"] = request.session.get("counter", 0) + 1
    return HttpResponse(str(request.session["counter"]))


urlpatterns = [
    path("bench/untouched", untouched),
    path("bench/reading", reading),
    path("bench/writing", writing),
    path("", include("config.urls")),
]
