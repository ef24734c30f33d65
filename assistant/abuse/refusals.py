"""How "not now" is said: how long it takes, what was typed, and the way to a person.

Decides nothing. A page for whoever reads it; a short one, made once for each language, for whoever does not seem to:
answering 200 requests a second with the site's whole layout would be the very load that is being refused.
"""

from functools import lru_cache
from math import ceil

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template import loader
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assistant.abuse import forms
from assistant.abuse.budgets import Rate, Refusal
from assistant.abuse.routes import Scope
from assistant.api.errors import error_body
from assistant.forms import TicketForm
from assistant.typed import typed_fields

TOO_MANY_REQUESTS = 429
_UNPROCESSABLE = 422
_CODE = "throttled"
_SUBJECT_LENGTH = 120  # characters of a question that become a subject


def refusal_page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    wait_seconds = max(1, ceil(refusal.wait_seconds - 0.01))
    if _is_for_a_program(request):
        response: HttpResponse = JsonResponse(
            error_body(_CODE, f"{_reason(refusal)} {_again(wait_seconds)}"), status=TOO_MANY_REQUESTS
        )
    else:
        typed = typed_fields(request)
        context = {
            "reason": _reason(refusal),
            "again": _again(wait_seconds),
            "address": request.get_full_path(),
            "is_post": request.method == "POST",
            "typed": typed,
            "contact_email": settings.CONTACT_EMAIL,
            "ticket_form": _ticket_form(request) if refusal.scope != Scope.TICKETS else None,
        }
        response = render(request, "429.html", context, status=TOO_MANY_REQUESTS)
    return _marked(response, wait_seconds)


def short_refusal(request: HttpRequest, wait_seconds: float) -> HttpResponse:
    """Costs a dictionary look-up: no session, no database, no template."""
    language = (
        translation.get_language_from_path(request.path_info)
        if request.path_info.startswith(("/de/", "/en/"))
        else translation.get_language_from_request(request)
    )
    if _is_for_a_program(request):
        response: HttpResponse = HttpResponse(_short_json(language), content_type="application/json")
    else:
        response = HttpResponse(_short_page(language))
    response.status_code = TOO_MANY_REQUESTS
    response["X-Content-Type-Options"] = "nosniff"
    return _marked(response, max(1, ceil(wait_seconds - 0.01)))


def confirm_page(request: HttpRequest) -> HttpResponse:
    """A form that looks like a program's: once more, with everything in it, by hand."""
    hidden = {forms.TRAP_FIELD, forms.OPENED_FIELD, forms.CONFIRMED_FIELD}
    context = {
        "address": request.get_full_path(),
        "typed": [field for field in typed_fields(request) if field.name not in hidden],
        "confirmed_field": forms.CONFIRMED_FIELD,
        "confirmed": forms.confirmation(),
    }
    response = render(request, "assistant/confirm_person.html", context, status=_UNPROCESSABLE)
    response["Cache-Control"] = "private, max-age=0"
    return response


def _marked(response: HttpResponse, wait_seconds: int) -> HttpResponse:
    response["Retry-After"] = str(wait_seconds)
    response["Cache-Control"] = "private, no-store"
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django would write a line for each
    return response


def _is_for_a_program(request: HttpRequest) -> bool:
    accepted = request.META.get("HTTP_ACCEPT", "")
    return request.path_info.startswith("/api/") or accepted.startswith(
        ("application/json", "text/event-stream")
    )


def _reason(refusal: Refusal) -> str:
    rate = refusal.rate
    if rate is None:
        return _("Several of your requests are being worked on at this moment.")
    if refusal.is_site_wide:
        return _("Very many people need something from us at this moment.")
    values = {"count": rate.amount, "period": _period(rate)}
    match refusal.scope:
        case Scope.QUESTIONS:
            return (
                ngettext(
                    "From one connection we answer %(count)d question %(period)s, and that one has been asked.",
                    "From one connection we answer %(count)d questions %(period)s, and that many have been asked.",
                    rate.amount,
                )
                % values
            )
        case Scope.TICKETS:
            return (
                ngettext(
                    "From one connection we take %(count)d message %(period)s, and that one has come.",
                    "From one connection we take %(count)d messages %(period)s, and that many have come.",
                    rate.amount,
                )
                % values
            )
        case Scope.SIGN_IN:
            return _("There were many attempts to sign in from your connection.")
    return _("Very much came from your connection in a short time.")


def _period(rate: Rate) -> str:
    seconds = rate.period_seconds
    if seconds == 60:
        return _("a minute")
    if seconds == 3600:
        return _("an hour")
    if seconds == 86_400:
        return _("a day")
    return _("in %(time)s") % {"time": in_words(seconds)}


def _again(wait_seconds: int) -> str:
    return _("It works again in %(time)s.") % {"time": in_words(wait_seconds)}


def in_words(seconds: int) -> str:
    """Rounded up, so that nobody comes back too early."""
    if seconds <= 90:
        return ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}
    minutes = ceil(seconds / 60)
    if minutes <= 90:
        return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
    hours = ceil(minutes / 60)
    return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}


def _ticket_form(request: HttpRequest) -> TicketForm:
    """For whoever cannot ask: the same words can go to a person at once."""
    text = request.POST.get("text") or request.POST.get("comment") or request.GET.get("q") or ""
    line = " ".join(text.split())
    subject = line if len(line) <= _SUBJECT_LENGTH else line[: line.rfind(" ", 0, _SUBJECT_LENGTH)] + " …"
    return TicketForm(initial={"subject": subject, "detail": text.strip()})


@lru_cache(maxsize=4)
def _short_page(language: str) -> str:
    with translation.override(language):
        values = {"language": language, "static_url": settings.STATIC_URL, "contact": reverse("new_ticket")}
        return loader.get_template("429_short.html").render(values)


@lru_cache(maxsize=4)
def _short_json(language: str) -> bytes:
    with translation.override(language):
        return JsonResponse(
            error_body(_CODE, _("Very much came from your connection in a short time."))
        ).content
