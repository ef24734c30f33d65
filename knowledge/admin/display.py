"""How the admin's lists show things; shared with the support desk."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

STYLESHEET = {"all": ["admin_helpcenter/admin.css"]}


class LabelledCells:
    """For lists in which cells are edited: each says what it is to whoever does not see the head of its column."""

    def get_changelist_form(self, request: HttpRequest, **options: Any) -> Any:
        form: Any = super().get_changelist_form(request, **options)  # type: ignore[misc]
        for field in form.base_fields.values():
            field.widget.attrs["aria-label"] = field.label
        return form


def badge(text: Any, tone: str, title: Any = "") -> SafeString:
    return format_html('<span class="hc-badge hc-{}" title="{}">{}</span>', tone, title, text)


def two_lines(first: Any, second: Any) -> SafeString:
    return format_html('{}<span class="hc-second">{}</span>', first, second)


def short_moment(moment: datetime) -> SafeString:
    """The day for a list; the minute where the pointer rests."""
    local = timezone.localtime(moment)
    return format_html(
        '<span class="hc-nowrap" title="{}">{}</span>',
        formats.date_format(local, "SHORT_DATETIME_FORMAT"),
        formats.date_format(local, "SHORT_DATE_FORMAT"),
    )


def is_changelist(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and str(match.url_name).endswith("_changelist")
