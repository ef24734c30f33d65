"""The widget's script, its first page, the stylesheet of an accent colour, and a page that shows how to embed it."""

import hashlib
from functools import lru_cache
from pathlib import Path

from csp.constants import SELF
from csp.decorators import csp_update
from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_safe

from assistant.popularity import popular_articles
from assistant.widget.hosts import may_embed, origin_of
from assistant.widget.passes import Pass
from knowledge.colours import Scheme, is_colour, problem_with, tones
from knowledge.models import Language

_SCRIPT = "help/widget.js"
_FORBIDDEN = 403
_POPULAR = 3  # articles on the first page


@require_safe
@cache_control(public=True, max_age=3600, stale_while_revalidate=86_400)
def script(request: HttpRequest) -> HttpResponseBase:
    """The one script that other sites name. An hour old at most, and a few bytes where it has not changed."""
    body, etag = _script()
    response = HttpResponse(body, content_type="text/javascript; charset=utf-8")
    response["ETag"] = etag
    response["Cross-Origin-Resource-Policy"] = "cross-origin"  # for sites that isolate themselves
    return get_conditional_response(request, etag=etag, response=response) or response


@never_cache
@require_safe
def widget(request: HttpRequest) -> HttpResponseBase:
    """The first page. Without a pass yet: one for the site that embeds this, if it may."""
    if request.widget is not None:  # type: ignore[attr-defined]
        return render(
            request, "widget/start.html", {"popular": popular_articles(request.user, limit=_POPULAR)}
        )
    origin = _embedding_origin(request)
    if not may_embed(origin):
        return render(request, "widget/not_allowed.html", {"origin": origin}, status=_FORBIDDEN)
    accent = f"#{request.GET.get('accent', '')}"
    issued = Pass(origin=origin, accent=accent.lower() if is_colour(accent) else "")
    address = f"/w/{issued.signed()}{reverse('widget')}"
    return HttpResponse(status=302, headers={"Location": address})


@require_safe
@cache_control(public=True, max_age=31_536_000, immutable=True)
def look(request: HttpRequest, accent: str) -> HttpResponse:  # noqa: ARG001
    """The tones of an embedding site's colour; where people could not read it, of the nearest that they can."""
    if not is_colour(f"#{accent}"):
        raise Http404
    light, dark = (_declarations(f"#{accent}", scheme) for scheme in (Scheme.LIGHT, Scheme.DARK))
    css = f":root{{{light}}}\n@media screen and (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"
    return HttpResponse(css, content_type="text/css; charset=utf-8")


@require_safe
@csp_update({"frame-src": [SELF]})
def demo(request: HttpRequest) -> HttpResponse:
    """A shop that embeds the widget, to look at; only where the operator wants it (WIDGET_DEMO)."""
    if not settings.WIDGET_DEMO:
        raise Http404
    language = request.GET.get("language", "")
    context = {
        "language": language if language in Language.values else request.LANGUAGE_CODE,
        "theme": request.GET.get("theme", "auto"),
        "accent": request.GET.get("accent", ""),
        "site_origin": f"{request.scheme}://{request.get_host()}",
    }
    return render(request, "widget/demo.html", context)


def _embedding_origin(request: HttpRequest) -> str:
    """What the browser says, or what the script says where the embedding site sends no Referer.

    A lie gains nothing: the page may be framed by the origin that it names alone.
    """
    referer = origin_of(request.headers.get("Referer", ""))
    own = f"{request.scheme}://{request.get_host()}"
    return referer if referer and referer != own else origin_of(request.GET.get("host", "")) or referer


def _declarations(accent: str, scheme: Scheme) -> str:
    problem = problem_with(accent, scheme)
    readable = problem.suggestion if problem is not None else accent
    return ";".join(f"{name}:{value}" for name, value in tones(readable, scheme).items())


@lru_cache(maxsize=1)
def _script() -> tuple[bytes, str]:
    path = finders.find(_SCRIPT)
    assert path is not None
    body = Path(path).read_bytes()
    return body, quote_etag(hashlib.sha256(body).hexdigest()[:16])
