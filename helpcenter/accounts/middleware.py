"""In front of every page and of the API: staff without the second factor that they need get no further.

Also not on public pages, where the same session would show what is for staff. What is left open leads to the second
factor or out, or has nothing to do with accounts.
"""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from assistant.api.errors import error_body
from helpcenter.accounts.policy import Step, next_step

_OPEN: Final = frozenset(
    {
        "account_login",
        "account_logout",
        "account_reauthenticate",
        "mfa_authenticate",
        "mfa_reauthenticate",
        "admin:login",
        "admin:logout",
        "admin:jsi18n",
        "login",
        "logout",
        "set_language",
        # Machines' addresses say the same to everybody; the first two have to work without a database.
        "livez",
        "readyz",
        "robots",
        "sitemap",
        "opensearch",
        "picture",
        "site_logo",
        "site_theme",
        "widget_script",
        "widget_script_v1",
        "widget_look",
        "receive-mail",
    }
)
_OPEN_TO_ENROL: Final = frozenset({"mfa_index", "mfa_activate_totp"})


class SecondFactorMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, _view: Any, _arguments: Any, _options: Any
    ) -> HttpResponse | None:
        match = request.resolver_match
        name = match.view_name if match is not None else ""
        # Whoever brings no session is nobody; looking would cost a query and tell caches of a cookie.
        if name in _OPEN or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        match next_step(request):
            case Step.ENROL if name not in _OPEN_TO_ENROL:
                return _sent_to(request, reverse("mfa_activate_totp"))
            case Step.CONFIRM:
                return _sent_to(request, reverse("mfa_reauthenticate"))
        return None


def _sent_to(request: HttpRequest, address: str) -> HttpResponse:
    accepted = request.META.get("HTTP_ACCEPT", "")
    if request.path_info.startswith("/api/") or accepted.startswith("application/json"):
        said = _("Your account needs a second factor: please sign in to the administration first.")
        return JsonResponse(error_body("second_factor_required", said), status=403)
    if request.method not in ("GET", "HEAD"):
        return HttpResponseRedirect(address)  # what was to be sent would not survive the detour
    wanted = request.get_full_path()
    if not url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return HttpResponseRedirect(address)
    return HttpResponseRedirect(f"{address}?{urlencode({'next': wanted})}")
