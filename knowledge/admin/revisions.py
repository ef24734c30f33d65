"""Revisions of an article: who did what and when, the difference between any two texts, and the way back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from knowledge.changes import Kept, pending_change, working_copy
from knowledge.diffing import compare
from knowledge.models import Article, Category, WorkflowEntry
from knowledge.revisions import Version, restore, version, versions_of
from knowledge.workflow import PUBLISH

_PAGE: Final = 50
LIVE: Final = "live"  # the text that customers read, in the address of a comparison
WORK: Final = "work"  # the one that is worked on


@dataclass(frozen=True)
class Row:
    """A version or a step."""

    at: datetime
    version: Version | None = None
    step: WorkflowEntry | None = None
    told: tuple[tuple[str, str, str], ...] = ()  # field, before, after


def revisions_page(request: HttpRequest, article: Article, context: dict[str, Any]) -> HttpResponse:
    versions = versions_of(article)
    steps = list(article.workflow.select_related("by")[:500])
    rows = [Row(one.at, version=one, told=_told(one)) for one in versions]
    rows += [Row(step.at, step=step) for step in steps]
    rows.sort(key=lambda row: row.at, reverse=True)
    page = Paginator(rows, _PAGE).get_page(request.GET.get("p"))
    return TemplateResponse(
        request,
        "admin/knowledge/article/revisions.html",
        {
            **context,
            "title": _("Revisions of “%(title)s”") % {"title": article.title},
            "subtitle": None,
            "article": article,
            "page": page,
            "first_two": [one.key for one in versions[:2]],
            "has_change": pending_change(article) is not None,
        },
    )


def compare_page(request: HttpRequest, article: Article, context: dict[str, Any]) -> HttpResponse:
    """`?from=a12&to=c7`: keys of versions, `live` or `work`. The older one is on the left."""
    sides = [
        _side(article, request.GET.get(name, default)) for name, default in (("from", LIVE), ("to", WORK))
    ]
    if None in sides:
        raise Http404
    left, right = (side for side in sides if side is not None)
    if left.at is not None and right.at is not None and left.at > right.at:
        left, right = right, left
    return TemplateResponse(
        request,
        "admin/knowledge/article/compare.html",
        {
            **context,
            "title": _("What changed in “%(title)s”") % {"title": article.title},
            "subtitle": None,
            "article": article,
            "sides": (left, right),
            "told": _differences(left.content, right.content),
            "stretches": compare(left.content["body"], right.content["body"]),
        },
    )


def restore_view(request: HttpRequest, article: Article, key: str, user: User) -> HttpResponse:
    found = version(article, key)
    if found is None:
        raise Http404
    kept = restore(article=article, content=found[1], by=user, may_publish=user.has_perm(PUBLISH))
    if kept is Kept.NOWHERE:
        messages.info(request, _("The text that is worked on is this one already."))
    elif kept is Kept.IN_CHANGE:
        messages.success(
            request,
            _(
                "The earlier text is the change in preparation now. Customers go on reading the published text."
            ),
        )
    else:
        messages.success(request, _("The earlier text is the article's text again."))
    return HttpResponseRedirect(reverse("admin:knowledge_article_change", args=[article.pk]))


@dataclass(frozen=True)
class _Side:
    name: str
    content: dict[str, Any]
    at: datetime | None = None
    key: str = ""  # of a version that can be restored


def _side(article: Article, key: str) -> _Side | None:
    if key in (LIVE, WORK):
        change = pending_change(article) if key == WORK else None
        name = _("The change in preparation") if change else _("The text as it is now")
        return _Side(name, working_copy(article, change).content)
    found = version(article, key)
    if found is None:
        return None
    about, content = found
    when = formats.date_format(timezone.localtime(about.at), "SHORT_DATETIME_FORMAT")
    name = _("%(when)s, %(who)s") % {"when": when, "who": about.by or _("an import or a command")}
    return _Side(name, content, about.at, about.key)


def _told(one: Version) -> tuple[tuple[str, str, str], ...]:
    return tuple((_field_name(name), _shown(name, old), _shown(name, new)) for name, old, new in one.fields)


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (_field_name(name), _shown(name, old[name]), _shown(name, new[name]))
        for name in old
        if name != "body" and old[name] != new[name]
    ]


def _field_name(name: str) -> str:
    return str(Article._meta.get_field(name.removesuffix("_id")).verbose_name)  # type: ignore[union-attr]


def _shown(name: str, value: Any) -> str:
    if value in (None, "", []):
        return "–"
    if name == "category_id":
        found = Category.objects.filter(pk=value).values_list("name", flat=True).first()
        return found or f"#{value}"
    if name == "translation_of_id":
        found = Article.objects.filter(pk=value).values_list("title", flat=True).first()
        return found or f"#{value}"
    if isinstance(value, datetime):
        return formats.date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    names = dict(getattr(Article._meta.get_field(name), "flatchoices", ()))
    return str(names.get(value, formats.localize(value)))
