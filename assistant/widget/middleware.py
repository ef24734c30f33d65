"""Lets the widget in: `/w/<pass>/de/ask/` is `/de/ask/`, without cookies, in a frame, for whoever holds the pass.

The pass is a script name to Django (WSGI's SCRIPT_NAME), so every address that a view or a template makes leads on
within the widget by itself. Only the pages in `_PAGES` exist there; any other address leads out of it.

A form needs no CSRF token here: there is no cookie that another site could use, and the pass is none that it could
guess. Stands outside the sessions and inside the Content-Security-Policy.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import get_script_prefix, set_script_prefix

from assistant.widget.hosts import may_embed
from assistant.widget.passes import BadPass, Pass, PassSession

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_ADDRESS = re.compile(r"/w/(?P<pass>[\w.:-]{20,2000})(?P<path>/.*)")
_PAGES = frozenset(
    {
        *("widget", "ask", "conversation", "answer", "answer_events", "answer_state", "finish", "feedback"),
        *("suggest", "site_theme", "site_logo"),  # parts of them
        *("contact", "new_ticket", "ticket", "ticket_reply", "ticket_close", "ticket_reopen"),
        "ticket_rate",
    }
)
_FORBIDDEN = 403


class WidgetMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.widget = None  # type: ignore[attr-defined]
        found = _ADDRESS.fullmatch(request.path_info)
        if found is None:
            return self._get_response(request)
        try:
            shown = Pass.read(found["pass"])
        except BadPass:
            return redirect(found["path"])
        if request.method == "POST" and not _comes_from_here(request):
            return HttpResponse(status=_FORBIDDEN)
        links = shown.for_links()
        prefix = f"/w/{links.signed()}/" if links != shown or shown.is_expired else f"/w/{found['pass']}/"
        request.COOKIES = {}
        request.widget = shown  # type: ignore[attr-defined]
        request.path_info = found["path"]
        request.path = prefix.rstrip("/") + found["path"]
        outside = get_script_prefix()
        set_script_prefix(prefix)
        try:
            response = self._get_response(request)
        finally:
            set_script_prefix(outside)
        if response.streaming:
            response.streaming_content = _within(prefix, response.streaming_content)  # type: ignore[attr-defined]
        return _as_widget(request, response, shown, prefix)

    def process_view(
        self, request: HttpRequest, _view: Any, _arguments: Any, _options: Any
    ) -> HttpResponseBase | None:
        if request.widget is None:  # type: ignore[attr-defined]
            return None
        match = request.resolver_match
        if match is None or match.view_name not in _PAGES:
            query = request.META.get("QUERY_STRING", "")
            return redirect(request.path_info + (f"?{query}" if query else ""))
        request.session = request.widget.session()  # type: ignore[attr-defined]
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        return None


def _comes_from_here(request: HttpRequest) -> bool:
    """Fetch Metadata where the browser sends it, else Origin; forms are always sent by our own page in the frame."""
    site = request.headers.get("Sec-Fetch-Site", "")
    if site:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin", "")
    return not origin or origin == f"{request.scheme}://{request.get_host()}"


def _as_widget(
    request: HttpRequest, response: HttpResponseBase, shown: Pass, prefix: str
) -> HttpResponseBase:
    session = getattr(request, "session", None)
    location = response.headers.get("Location", "")
    if location.startswith(prefix) and isinstance(session, PassSession) and session.modified:
        response["Location"] = f"/w/{session.next_pass().signed()}/{location.removeprefix(prefix)}"
    response.cookies.clear()
    if may_embed(shown.origin):
        # The older header knows no list; the policy names exactly the site that the pass was made for.
        response.headers.pop("X-Frame-Options", None)
        response.xframe_options_exempt = True  # type: ignore[attr-defined]
        response._csp_replace = {"frame-ancestors": [shown.origin]}  # type: ignore[attr-defined]
    return response


def _within(prefix: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """What is rendered while it is sent makes addresses of the widget, too."""
    outside = get_script_prefix()
    set_script_prefix(prefix)
    try:
        yield from chunks
    finally:
        set_script_prefix(outside)
