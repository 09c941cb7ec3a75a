"""Pages that belong to no app."""

from django.http import HttpRequest, HttpResponse


def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process answers; ask neither the database nor anything else, whose failure is not this one's."""
    return HttpResponse("ok", content_type="text/plain")


def no_icon(request: HttpRequest) -> HttpResponse:
    """Answer what every browser asks for, so that the log keeps its warnings for what is wrong."""
    return HttpResponse(status=204)
