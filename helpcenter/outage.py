"""What a visitor gets while the database is locked or away: a page that says so and gives back what was typed.

Promise: needs no database, no session and no context processor. Whatever was posted is in the page's form, to be
sent again as it was, idempotency key included; passwords are not. Works without JavaScript.

It answers from `handler500`, and not from a middleware: Django turns what fails inside a middleware (a session
that cannot be saved) into a response before any other middleware could see it. The handler sees all of it.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.template import loader
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from assistant.api.errors import RETRY_AFTER_SECONDS, Unavailable, error_body
from knowledge import site

_LABELS: dict[str, str | Promise] = {
    "text": _("Your question"),
    "subject": _("Subject"),
    "detail": _("Your message"),
    "body": _("Your text"),
    "contact_email": _("E-mail address"),
    "contact_name": _("Name"),
    "comment": _("Your comment"),
}
_LONG_LINE = 60  # characters


@dataclass(frozen=True)
class Typed:
    """One field of the form that could not be taken."""

    name: str
    value: str
    label: str | Promise  # empty: sent along unseen
    is_long: bool


def is_outage(error: BaseException | None) -> bool:
    return isinstance(error, OperationalError | InterfaceError)


def outage_response(request: HttpRequest) -> HttpResponse:
    site.use_last_known()
    language = translation.get_language_from_path(request.path_info) or translation.get_language_from_request(
        request
    )
    with translation.override(language):
        if request.path_info.startswith("/api/"):
            response: HttpResponse = JsonResponse(
                error_body(Unavailable.default_code, str(Unavailable.default_detail)),
                status=Unavailable.status_code,
            )
        else:
            response = _page(request, language)
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    response["Cache-Control"] = "private, max-age=0"
    return response


def _page(request: HttpRequest, language: str) -> HttpResponse:
    typed = _typed(request)
    here = site.current()
    values = {
        "site_name": here.display_name,
        "phone": here.phone,
        "hours": here.opening_lines,
        "language": language,
        "static_url": settings.STATIC_URL,
        "home": f"/{language}/",
        "address": request.get_full_path(),
        "typed": typed,
        "csrf_token": get_token(request) if typed else "",
    }
    page = loader.get_template("503.html").render(values)
    return HttpResponse(page, status=Unavailable.status_code)


def _typed(request: HttpRequest) -> list[Typed]:
    if request.method != "POST" or any("password" in name for name in request.POST):
        return []
    return [
        _field(name, str(value))
        for name, values in request.POST.lists()
        if name != "csrfmiddlewaretoken"
        for value in values
    ]


def _field(name: str, value: str) -> Typed:
    is_long = len(value) > _LONG_LINE or "\n" in value
    label = _LABELS.get(name, _("Your text") if is_long else "")
    return Typed(name, value, label, is_long or name in {"text", "detail", "body", "comment"})
