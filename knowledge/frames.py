"""Which other sites may show a page inside theirs: those that the administrator has named, and only marked pages."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from django.http.response import HttpResponseBase

from knowledge import site

P = ParamSpec("P")


def embeddable(view: Callable[P, HttpResponseBase]) -> Callable[P, HttpResponseBase]:
    """A view whose pages the sites in `widget_hosts` may frame. Every other page refuses all frames."""

    @wraps(view)
    def framed(*args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        response = view(*args, **kwargs)
        hosts = site.current().frame_ancestors
        # The older header knows no list: it stays where nobody may frame, and leaves where the policy decides.
        response.xframe_options_exempt = hosts != ("'none'",)  # type: ignore[attr-defined]
        replaced = getattr(response, "_csp_replace", None) or {}
        response._csp_replace = {**replaced, "frame-ancestors": list(hosts)}  # type: ignore[attr-defined]
        return response

    return framed
