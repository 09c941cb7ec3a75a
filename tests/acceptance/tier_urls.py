"""The site's addresses, and three for the tests of the tier."""

import os
import time

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from config.urls import urlpatterns as site


def headers(request: HttpRequest) -> JsonResponse:
    """Say what of a request has arrived."""
    return JsonResponse({"scheme": request.scheme, "host": request.get_host(), "headers": dict(request.headers)})


@csrf_exempt
def note(request: HttpRequest) -> HttpResponse:
    """Write the name of the request into the journal, then take as long as it says."""
    _read = request.body  # one that is not read ends the connection, and nginx may see that before the answer
    with open(os.environ["JOURNAL"], "a") as journal:
        journal.write(f"{request.GET['name']}\n")
    time.sleep(float(request.GET.get("seconds", 0)))
    return HttpResponse("noted")


def whoami(request: HttpRequest) -> HttpResponse:
    return HttpResponse(os.environ["REPLICA"])


urlpatterns = [path("headers", headers), path("note", note), path("whoami", whoami), *site]
