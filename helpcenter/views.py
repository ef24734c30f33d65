"""Pages of the installation itself: liveness, robots.txt and what a visitor sees when something went wrong.

Nothing here reads an article or a question, and `server_error` touches neither the database nor a context
processor: it has to work when they are what failed.
"""

import sys

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseServerError, JsonResponse
from django.shortcuts import render
from django.template import loader
from django.urls import resolve
from django.views.decorators.http import require_safe

from assistant.abuse.budgets import Rate, Refusal
from assistant.abuse.refusals import refusal_page
from assistant.abuse.routes import Scope
from assistant.models import MAX_DETAIL_LENGTH, MAX_QUESTION_LENGTH
from assistant.typed import typed_fields
from helpcenter.middleware import BodyTooLarge, body_limit
from helpcenter.outage import is_outage, outage_response
from helpcenter.readiness import readiness
from knowledge import site

_CUSTOMERS_FORMS = frozenset(
    ["ask", "finish", "feedback", "contact", "new_ticket", "ticket_reply", "ticket_close", "ticket_reopen"]
)


@require_safe
def livez(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Says that the process serves requests. Asks nothing else: a slow database must kill no process."""
    return HttpResponse(
        "ok\n", content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"}
    )


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Says how each part is. 503 only where questions cannot be answered from articles."""
    found = readiness()
    return JsonResponse(
        found.as_json(), status=200 if found.is_ready else 503, headers={"Cache-Control": "no-store"}
    )


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    return render(request, "robots.txt", content_type="text/plain; charset=utf-8")


@require_safe
def opensearch(request: HttpRequest) -> HttpResponse:
    """How a browser offers this help center as a search engine (OpenSearch 1.1), in the language of its address."""
    return render(
        request, "opensearch.txt", content_type="application/opensearchdescription+xml; charset=utf-8"
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        limits = {
            "body_mb": body_limit() // 1024 // 1024 if isinstance(exception, BodyTooLarge) else 0,
            "limit_kib": (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) // 1024,
            "question_limit": MAX_QUESTION_LENGTH,
            "detail_limit": MAX_DETAIL_LENGTH,
        }
        return render(request, "413.html", limits, status=413)
    site.use_last_known()  # whoever asks for a host that is not ours gets no query
    return render(request, "400.html", status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return render(request, "403.html", status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 (Django's signature)
    """A form that was open for too long comes back with all that was typed, under a new token.

    Customers' forms only, and not what another site has sent: nobody else gets words of theirs into such a form.
    """
    match = resolve(request.path_info)
    is_ours = request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
    typed = typed_fields(request) if match.url_name in _CUSTOMERS_FORMS and is_ours else []
    values = {"typed": typed, "address": request.get_full_path()}
    return render(request, "403_csrf.html", values, status=403)


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """Of what django-allauth counts for itself; everything else is `assistant.abuse`'s."""
    return refusal_page(
        request, Refusal(Scope.SIGN_IN, is_site_wide=False, rate=Rate(5, 60), wait_seconds=60)
    )


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    # The other language has no such page either: its switch leads to the home page.
    homes = {code: f"/{code}/" for code, _name in settings.LANGUAGES}
    return render(request, "404.html", {"alternates": homes}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    if is_outage(sys.exception()):  # Django calls its handlers while it handles the error
        return outage_response(request)
    site.use_last_known()
    addresses = {
        "static_url": settings.STATIC_URL,
        "german_home": "/de/",
        "english_home": "/en/",
        "contact_email": settings.CONTACT_EMAIL,
        "site_settings": site.current(),
    }
    page = loader.get_template("500.html").render(addresses)
    return HttpResponseServerError(page)
