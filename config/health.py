"""What a balancer and an operator ask a replica: whether it lives, and whether it can serve."""

import logging

from django.db import Error as DatabaseFailure
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

from logins.status import RedisState, redis_state
from scheduling.database.snapshot import is_snapshot_fresh

logger = logging.getLogger("config.health")
OK, DEGRADED = "ok", "degraded"


def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process answers; ask neither the database nor anything else, whose failure is not this one's."""
    return HttpResponse("ok", content_type="text/plain")


@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Say with 200 or 503 whether this replica can serve, which takes the database alone.

    Without Redis or the registry it serves on, and says so: a balancer that took it out would take out all at once.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        registry = OK if is_snapshot_fresh() else DEGRADED
    except DatabaseFailure as error:
        logger.error("The database cannot be asked: %s", error)
        return JsonResponse({"ready": False, "database": "unavailable"}, status=503)
    state = redis_state()
    redis = {RedisState.BELIEVED: OK, RedisState.AWAY: DEGRADED, RedisState.UNUSED: "unused"}[state]
    return JsonResponse({"ready": True, "database": OK, "redis": redis, "registry": registry})
