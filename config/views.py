"""Pages that belong to no app."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.signals import user_logged_out
from django.contrib.auth.views import PasswordChangeView
from django.contrib.messages.views import SuccessMessageMixin
from django.db import connection
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.middleware import STARTED
from config.visits import visit
from logins.status import redis_state


def no_icon(request: HttpRequest) -> HttpResponse:
    """Answer what every browser asks for, so that the log keeps its warnings for what is wrong."""
    return HttpResponse(status=204)


@never_cache
@require_safe
@login_required
def start(request: HttpRequest) -> HttpResponse:
    """Show which replica answers, and that the login is the same on all of them."""
    context = {
        "replica": settings.REPLICA,
        "started": STARTED,
        "visits": visit(request.session),
        "redis": redis_state().value,
        "database": connection.display_name,
    }
    return render(request, "start.html", context)


class PasswordChange(SuccessMessageMixin, PasswordChangeView):  # type: ignore[type-arg]
    """Change the password of the one who is logged in; Django ends this user's other logins by it."""

    template_name = "password.html"
    success_url = reverse_lazy("start")
    success_message = gettext_lazy("Your password was changed.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(replica=settings.REPLICA, **kwargs)


@receiver(user_logged_out)
def confirm_logout(request: HttpRequest, **kwargs: Any) -> None:
    """Say on the next page that the login has ended, whichever button ended it."""
    messages.info(request, _("You are logged out."), fail_silently=True)
