"""What every request and response passes: whose site it is, and what a browser may do with the page."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from csp.constants import NONCE, SELF, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from assistant.mailroom.inbox import max_bytes
from knowledge import site

_LARGEST_FORM: Final = 48 * 1024 * 1024

# Over those of CONTENT_SECURITY_POLICY, which are the public pages'. None of them may run what is written into a page.
_OTHERS: Final[Mapping[str, Mapping[str, list[Any]]]] = {
    # Django's admin loads its scripts from files and places a few style attributes.
    "/admin/": {"script-src": [SELF, NONCE], "style-src": [SELF, UNSAFE_INLINE]},
    # The picture that an authenticator app reads is made for one reader and stored nowhere.
    "/admin/account/": {"img-src": [SELF, "data:"]},
    # Swagger UI draws its pictures from data addresses and styles itself.
    "/api/v1/docs/": {
        "script-src": [SELF, NONCE],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
    },
}


class BodyTooLarge(RequestDataTooBig):
    """Files and all. Django's own limit leaves files out and would write any number of gigabytes to the disk."""


def body_limit() -> int:
    """Bytes. Several times what any form takes, so that its own error, with what was typed, is the usual one."""
    return max(_LARGEST_FORM, max_bytes())


class BodyLimitMiddleware:
    """Before anything reads the body. A body without a length is none to Django, so this is all of them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = str(request.META.get("CONTENT_LENGTH") or "")
        if length.isdecimal() and int(length) > body_limit():
            raise BodyTooLarge
        return self._get_response(request)


class SiteMiddleware:
    """Each request knows the site's settings once it asks; customers are addressed as the site wants it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        site.begin(is_for_customers=not request.path_info.startswith("/admin/"))
        return self._get_response(request)


class PolicyMiddleware(CSPMiddleware):
    """The Content-Security-Policy of each part of the site. `assistant.widget` names who may frame its pages."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        for prefix, policy in _OTHERS.items():
            if request.path_info.startswith(prefix):
                parts.replace = {**policy, **(parts.replace or {})}
        return parts
