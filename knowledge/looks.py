"""The files that a site's settings stand for: its colours as a stylesheet, and its logo.

Their addresses carry their content's fingerprint, so browsers may keep them for good and a change is seen at once.
"""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from knowledge import site
from knowledge.site import SiteSettings

_FOR_GOOD = "public, max-age=31536000, immutable"
_NOT_AT_ALL = "no-store"  # an address of yesterday's page, answered with today's


@require_safe
def theme(request: HttpRequest, version: str) -> HttpResponse:  # noqa: ARG001
    here = site.current()
    is_of_now = request.path == here.theme_url
    headers = {"Cache-Control": _FOR_GOOD if is_of_now else _NOT_AT_ALL}
    return HttpResponse(here.stylesheet, content_type="text/css; charset=utf-8", headers=headers)


@require_safe
def logo(request: HttpRequest, digest: str) -> HttpResponse:  # noqa: ARG001
    stored = SiteSettings.objects.filter(logo_digest=digest).values_list("logo", flat=True).first()
    if stored is None:
        raise Http404
    return HttpResponse(bytes(stored), content_type="image/png", headers={"Cache-Control": _FOR_GOOD})
