"""What a visitor gets while the database is locked or away: a page that says so and gives back what was typed.

Promise: needs no database, no session and no context processor. Whatever was posted is in the page's form, to be
sent again as it was, idempotency key included; passwords are not. Works without JavaScript.

It answers from `handler500`, and not from a middleware: Django turns what fails inside a middleware (a session
that cannot be saved) into a response before any other middleware could see it. The handler sees all of it.
"""

import uuid

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.template import loader
from django.utils import translation

from assistant.api.errors import RETRY_AFTER_SECONDS, Unavailable, error_body
from assistant.typed import typed_fields
from knowledge import site

_MESSAGES = frozenset(["detail", "body"])  # fields of a message to people


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
    typed = typed_fields(request)
    here = site.current()
    values = {
        "site_name": here.display_name,
        "site_settings": here,
        "language": language,
        "static_url": settings.STATIC_URL,
        "home": f"/{language}/",
        "contact": f"/{language}/contact/",
        "contact_email": settings.CONTACT_EMAIL,
        "address": request.get_full_path(),
        "typed": typed,
        "offers_form": not any(field.name in _MESSAGES for field in typed),  # it is the one shown already
        "key": uuid.uuid4().hex,
        "csrf_token": get_token(request),
    }
    page = loader.get_template("503.html").render(values)
    return HttpResponse(page, status=Unavailable.status_code)
