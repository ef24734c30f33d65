"""What page templates need beyond their view's context: the language switch and form keys.

Decides nothing about content. Where a page has no counterpart in the other language, its view says so by
passing `alternates`; without that the same address under the other prefix is used.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse, translate_url
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, override

from assistant.abuse.forms import FormMarks, form_marks
from assistant.models import MAX_QUESTION_LENGTH

register = template.Library()

# A language is named in itself, so that those who read it recognise it.
_OWN_NAMES = {"de": "Deutsch", "en": "English"}


@dataclass(frozen=True)
class LanguageOption:
    code: str
    name: str
    url: str
    is_current: bool


@register.simple_tag(takes_context=True)
def language_options(context: dict[str, Any]) -> list[LanguageOption]:
    request: HttpRequest | None = context.get("request")
    alternates: dict[str, str] = context.get("alternates") or {}
    path = request.path if request is not None else "/"
    query = request.META.get("QUERY_STRING", "") if request is not None and request.method == "GET" else ""
    current = get_language()
    return [
        LanguageOption(
            code=code,
            name=_OWN_NAMES.get(code, code),
            url=alternates.get(code) or _with_query(_counterpart(path, code), query),
            is_current=code == current,
        )
        for code, _name in settings.LANGUAGES
    ]


@register.simple_tag
def new_key() -> str:
    """Goes into a form as a hidden field: the same form sent twice counts once."""
    return uuid.uuid4().hex


@register.simple_tag(takes_context=True)
def json_ld(context: dict[str, Any], nodes: list[dict[str, Any]] | None) -> SafeString:
    """schema.org data for search engines, one script element a node; nothing in it can end the element."""
    nonce = getattr(context.get("request"), "csp_nonce", "")
    opening = format_html('<script type="application/ld+json" nonce="{}">', nonce)
    return format_html_join("\n", "{}{}</script>", ((opening, _as_script(node)) for node in nodes or ()))


@register.simple_tag
def question_limit() -> int:
    return MAX_QUESTION_LENGTH  # characters


def _with_query(path: str, query: str) -> str:
    """What was searched for is still searched for in the other language."""
    return f"{path}?{query}" if query else path


def _as_script(node: dict[str, Any]) -> SafeString:
    """JSON as Django's json_script writes it: <, > and & are escaped, so no text of an article is markup."""
    element = str(json_script(node))
    return mark_safe(element[element.index(">") + 1 : element.rindex("<")])  # noqa: S308 - what json_script escaped


def _counterpart(path: str, language: str) -> str:
    if path.startswith(f"/{language}/"):
        return path
    translated = translate_url(path, language)
    if translated.startswith(f"/{language}/"):
        return translated
    with override(language):  # a page that does not exist, or has no language: its home page instead
        return reverse("home")


@register.inclusion_tag("_form_guard.html")
def form_guard() -> dict[str, FormMarks]:
    """Belongs into every form that `assistant.abuse.routes` names in GUARDED_FORMS."""
    return {"marks": form_marks()}
