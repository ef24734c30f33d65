"""Asks the guards before a view runs. Cheapest first: memory, then one row, and only then the view.

`flood_guard` stands in front of sessions and everything else; `AbuseMiddleware` behind them, because it has to know
the account, the language and which view it would be. What Django's CSRF check refuses has spent nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from assistant.abuse import budgets, forms, refusals
from assistant.abuse.budgets import Rate, Refusal, parse_rate
from assistant.abuse.clients import client_address, client_name
from assistant.abuse.current import begin_request
from assistant.abuse.local import KnownRefusals, RequestGuard, Slots
from assistant.abuse.routes import AT_ONCE, GUARDED_FORMS, Scope, scope_of

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_WHOLE_PAGES = Rate(10, 60)  # refusals of one client that are told at length; nobody reads more
_SLOT_WAIT_SECONDS = 2.0

_processes = 1  # that answer requests on this machine
_requests = RequestGuard()
_pages = RequestGuard()
_known = KnownRefusals()
_slots = Slots()


def forget() -> None:
    """What this process remembers of clients; tests start afresh with it."""
    for guard in (_requests, _pages, _known):
        guard.forget()


def share_with(processes: int) -> None:
    """Each of so many processes gives a client an equal part of BUDGET_REQUESTS. The burst is each one's own: a browser
    stays with the process that it is connected to."""
    global _processes
    _processes = max(1, processes)


def _share(rate: Rate | None) -> Rate | None:
    return rate and replace(rate, period_seconds=rate.period_seconds * _processes)


def flood_guard(get_response: GetResponse) -> GetResponse:
    def guarded(request: HttpRequest) -> HttpResponseBase:
        if settings.ABUSE_PROTECTION:
            share = _share(parse_rate(settings.BUDGET_REQUESTS))
            wait_seconds = _requests.wait_seconds(client_address(request), share)
            if wait_seconds:
                return refusals.short_refusal(request, wait_seconds)
        return get_response(request)

    return guarded


class AbuseMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        held: list[str] = []
        request.held_slots = held  # type: ignore[attr-defined]
        begin_request(request)
        response = self._get_response(request)
        for client in held:
            if response.streaming:
                # An answer that arrives bit by bit is worked on until its last one, or until nobody reads on.
                response._resource_closers.append(partial(_slots.free, client))  # type: ignore[attr-defined]
            else:
                _slots.free(client)
        return response

    def process_view(
        self, request: HttpRequest, _view: Any, _arguments: Any, _options: Any
    ) -> HttpResponse | None:
        scope = scope_of(request) if settings.ABUSE_PROTECTION else None
        if scope is None:
            return None
        client = client_name(request, client_address(request))
        refusal = _refusal(request, scope, client)
        if refusal is not None:
            if _pages.wait_seconds(client, _WHOLE_PAGES):
                return refusals.short_refusal(request, refusal.wait_seconds)
            return refusals.refusal_page(request, refusal)
        match = request.resolver_match
        if match is not None and match.view_name in GUARDED_FORMS and forms.looks_automatic(request):
            return refusals.confirm_page(request)
        return None


def _refusal(request: HttpRequest, scope: Scope, client: str) -> Refusal | None:
    known = _known.find(f"{scope} {client}") or _known.find(scope)
    if known is not None:
        return known
    if scope in AT_ONCE:
        if not _slots.take(client, settings.QUESTIONS_AT_ONCE):
            return Refusal(scope, is_site_wide=False, rate=None, wait_seconds=_SLOT_WAIT_SECONDS)
        request.held_slots.append(client)  # type: ignore[attr-defined]
    refusal = budgets.spend(scope, client)
    if refusal is not None:
        _known.remember(scope if refusal.is_site_wide else f"{scope} {client}", refusal)
    return refusal
